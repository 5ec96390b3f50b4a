package io.github.resilientsession.sample;

import java.net.Inet4Address;
import java.net.InetAddress;
import java.net.NetworkInterface;
import java.net.SocketException;
import java.util.Optional;

/**
 * The machine that the tests run on.
 */
final class ThisMachine {

	private ThisMachine() {
	}

	/**
	 * An address by which other machines reach it; who uses it here looks like one.
	 */
	static Optional<InetAddress> otherAddress() throws SocketException {
		return NetworkInterface.networkInterfaces()
			.flatMap(NetworkInterface::inetAddresses)
			.filter((address) -> address instanceof Inet4Address && !address.isLoopbackAddress())
			.findFirst();
	}

}
