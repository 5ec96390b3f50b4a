package io.github.resilientsession.redis;

import io.lettuce.core.resource.NettyCustomizer;
import io.netty.bootstrap.Bootstrap;
import io.netty.channel.Channel;
import io.netty.handler.flush.FlushConsolidationHandler;

/**
 * Sends the commands of requests that run at the same time with one system call, as far
 * as they are there when the connection's thread comes to it: none waits for another.
 * Whatever else is to be done to the channel is left to another customizer.
 */
final class FlushTogether implements NettyCustomizer {

	/**
	 * So many commands are sent at once at most.
	 */
	private static final int MAX_COMMANDS = 256;

	private final NettyCustomizer other;

	FlushTogether(NettyCustomizer other) {
		this.other = other;
	}

	@Override
	public void afterBootstrapInitialized(Bootstrap bootstrap) {
		this.other.afterBootstrapInitialized(bootstrap);
	}

	@Override
	public void afterChannelInitialized(Channel channel) {
		channel.pipeline().addFirst(new FlushConsolidationHandler(MAX_COMMANDS, true));
		this.other.afterChannelInitialized(channel);
	}

}
