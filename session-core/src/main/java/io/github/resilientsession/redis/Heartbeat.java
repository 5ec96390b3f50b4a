package io.github.resilientsession.redis;

import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.Optional;

import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What tells whether Redis still has the data that was agreed upon: a key that holds
 * which incarnation of Redis had been compared with the durable store, and a counter that
 * every node raises each second.
 * <p>
 * A restart, a failover or a restored snapshot gives Redis another {@code run_id} or
 * {@code master_replid} than the key says. Where the same process has got older data, the
 * counter went backwards. Where the key has vanished from the same process, it was
 * flushed or evicted, and other keys too: its copies are believed while they are
 * compared. A node that comes from another Redis may have told that one what this one
 * does not know: it takes the agreement back for all, also from under a comparison that
 * is going on. The key has a TTL like all others.
 */
public final class Heartbeat {

	/**
	 * Longer than an application is restarted for; if it runs out, the copies are
	 * compared once more.
	 */
	private static final Duration TTL = Duration.ofHours(6);

	/**
	 * What every Redis is that does not say.
	 */
	private static final String UNKNOWN = "unknown/unknown";

	private static final String UNPERSISTED = "unpersisted";

	private static final String REFILL = "refill";

	private static final Logger logger = LoggerFactory.getLogger(Heartbeat.class);

	private final RedisLink link;

	private final ScriptRunner scripts;

	private final Diagnostics diagnostics;

	private final byte[] key;

	private final CopyTrust trust;

	private volatile Seen seen = new Seen("", 0);

	/**
	 * Which other incarnation was agreed upon, or why none, as of the last beat that
	 * found that.
	 */
	private volatile String lastNoted = "";

	private volatile boolean agreed;

	private volatile boolean infoRefused;

	private volatile String unpersistedNote = "";

	private volatile String refillNote = "";

	Heartbeat(RedisLink link, ScriptRunner scripts, Diagnostics diagnostics, RedisSettings settings, CopyTrust trust) {
		this.link = link;
		this.scripts = scripts;
		this.diagnostics = diagnostics;
		this.key = utf8(settings.namespace() + ":agreed");
		this.trust = trust;
	}

	/**
	 * Raise the counter, and tell the copies' trust what is found.
	 * @throws RedisTierException if Redis does not answer
	 */
	void beat() {
		CopyTrust.State known = this.trust.state();
		String incarnation = incarnation();
		Seen last = this.seen;
		boolean same = last.incarnation().equals(incarnation);
		boolean elsewhere = !same && !last.incarnation().isEmpty();
		List<Object> answer = this.scripts.run(Script.BEAT, this.key,
				List.of(utf8(incarnation), ScriptRunner.ascii(same ? last.beat() : 0),
						ScriptRunner.ascii(TTL.toMillis()), ScriptRunner.ascii(elsewhere ? 1 : 0)));
		String status = ScriptRunner.status(answer);
		if (this.agreed && status.equals("lost")) {
			logger.warn("Redis has lost its data, or a part of it: the mark is gone that it agreed with the database. "
					+ "Nobody is logged out: sessions come from the database, and are put back. Look for a FLUSHALL, a "
					+ "restart without data, or evictions.");
		}
		this.agreed = status.equals("done");
		switch (status) {
			case "done" -> {
				this.seen = new Seen(incarnation, (Long) answer.get(1));
				this.unpersistedNote = text(answer, 2);
				this.refillNote = text(answer, 3);
				this.trust.believe(known);
			}
			case "lost" -> {
				if (same && !incarnation.equals(UNKNOWN) && !known.stale()) {
					// The same Redis, of which keys were deleted: no copy is older.
					this.trust.believe(known);
				}
				else {
					this.trust.stale(last.incarnation().isEmpty(), false, "it has not been compared before");
				}
			}
			case "elsewhere" -> {
				this.seen = new Seen(incarnation, 0);
				this.trust.stale(false, true,
						"this node has talked to another Redis until now, or could not tell to which");
			}
			case "back" -> {
				this.seen = new Seen(incarnation, 0);
				this.trust.stale(false, true, "older data has taken the place of newer");
			}
			default -> {
				String noted = text(answer, 1);
				this.seen = new Seen(incarnation, 0);
				this.trust.stale(false, !noted.equals(this.lastNoted),
						"it was restarted or replaced, or another node comes from another Redis");
				this.lastNoted = noted;
			}
		}
	}

	/**
	 * Which Redis this is, and since when it has its data.
	 * @return the same text until it is restarted or replaced
	 * @throws RedisTierException if Redis does not answer
	 */
	public String incarnation() {
		return info("server").text("run_id").orElse("unknown") + "/"
				+ info("replication").text("master_replid").orElse("unknown");
	}

	/**
	 * A section of what Redis says of itself; with nothing in it if this user may not ask
	 * for it, which managed services may have it.
	 */
	ServerInfo info(String section) {
		Optional<ServerInfo> info = this.diagnostics.info(section);
		boolean before = this.infoRefused;
		this.infoRefused = info.isEmpty();
		if (this.infoRefused && !before) {
			logger.warn("Redis does not allow INFO for this user, so a restart of Redis with older data is only "
					+ "noticed by a counter, and sessions that Redis lost are not put back before they are used. "
					+ "Allow it with ACL SETUSER … +info.");
		}
		return info.orElse(ServerInfo.NONE);
	}

	/**
	 * Whether Redis does not let this user ask {@code INFO}, as of the last beat.
	 * @return whether it has refused
	 */
	public boolean infoRefused() {
		return this.infoRefused;
	}

	/**
	 * Whether Redis still has the note that its copies agree with the durable store, as
	 * of the last beat. Without it they have to be compared, also if they are believed
	 * meanwhile.
	 * @return whether {@link #agree} has been noted and not been lost
	 */
	public boolean agreed() {
		return this.agreed;
	}

	/**
	 * What a comparison of all copies with the durable store is about.
	 * @return to be taken before the first copy is looked at
	 * @throws RedisTierException if Redis does not answer
	 */
	public Basis basis() {
		byte[] noted = this.link.await(this.link.commands().hget(this.key, utf8("incarnation")));
		return new Basis(incarnation(), (noted != null) ? new String(noted, StandardCharsets.UTF_8) : "");
	}

	/**
	 * Note for all nodes that no copy is older than the durable store, and that those
	 * which Redis has lost are to be put back.
	 * @param basis what {@link #basis()} was before that was made sure of
	 * @param beat a number higher than that of any beat so far: the time in milliseconds
	 * @return whether it has been noted; not if something has come to light meanwhile
	 * that makes another comparison necessary
	 */
	public boolean agree(Basis basis, long beat) {
		List<Object> answer = this.scripts.run(Script.AGREE, this.key, List.of(utf8(basis.incarnation()),
				ScriptRunner.ascii(beat), ScriptRunner.ascii(TTL.toMillis()), utf8(basis.noted())));
		boolean done = ScriptRunner.status(answer).equals("done");
		this.agreed = done;
		if (done) {
			this.refillNote = Long.toString(beat);
		}
		return done;
	}

	/**
	 * Note for all nodes that there are copies with unpersisted writes, so that they are
	 * persisted even if this node does not live to do it.
	 * @param note a text never used before
	 */
	public void noteUnpersisted(String note) {
		flag(UNPERSISTED, "", note);
		this.unpersistedNote = note;
	}

	/**
	 * Take the note back, unless another has been made.
	 * @param note what {@link #unpersistedNote()} was before all copies were looked at
	 */
	public void forgetUnpersisted(String note) {
		flag(UNPERSISTED, note, "");
	}

	private void flag(String field, String former, String note) {
		this.scripts.run(Script.FLAG, this.key,
				List.of(utf8(field), utf8(former), utf8(note), ScriptRunner.ascii(TTL.toMillis())));
	}

	/**
	 * The note that there are copies with unpersisted writes, as of the last beat.
	 * @return the note, empty if there is none
	 */
	public String unpersistedNote() {
		return this.unpersistedNote;
	}

	/**
	 * The note that sessions which Redis has lost are to be put back, as of the last
	 * beat.
	 * @return the note, another one after each agreement; empty if there is none
	 */
	public String refillNote() {
		return this.refillNote;
	}

	/**
	 * Note for all nodes that nothing is to be put back any more, unless there is another
	 * note by now.
	 * @param note what {@link #refillNote()} was when that began
	 */
	public void forgetRefill(String note) {
		flag(REFILL, note, "");
		this.refillNote = "";
	}

	private static String text(List<Object> answer, int index) {
		return new String(ScriptRunner.bytes(answer, index), StandardCharsets.UTF_8);
	}

	private static byte[] utf8(String text) {
		return text.getBytes(StandardCharsets.UTF_8);
	}

	/**
	 * What a comparison is about. Two of them are equal as long as nothing has happened
	 * that the comparison may have missed.
	 *
	 * @param incarnation which Redis it is
	 * @param noted which incarnation has been agreed upon, or why none is
	 */
	public record Basis(String incarnation, String noted) {

	}

	/**
	 * The last beat that this node has seen.
	 */
	private record Seen(String incarnation, long beat) {

	}

}
