package io.github.resilientsession.benchmark;

import java.time.Duration;
import java.util.List;
import java.util.concurrent.atomic.AtomicLong;

import org.springframework.data.redis.core.RedisTemplate;
import org.springframework.jdbc.core.JdbcTemplate;
import org.springframework.data.redis.serializer.RedisSerializer;
import org.springframework.session.MapSession;
import org.springframework.session.SessionRepository;
import org.springframework.session.UuidSessionIdGenerator;

/**
 * What people write by hand: the session as one value in Redis, and as one row. A read
 * that Redis misses queries the row and puts it back; nothing is shared between such
 * reads, and a write overwrites the whole session.
 */
public final class CacheAsideRepository implements SessionRepository<MapSession> {

	static final String TABLE = "cache_aside_session";

	static final String SCHEMA = "create table " + TABLE
			+ " (session_id varchar(64) not null primary key, session_data bytea not null, expires_at bigint not null)";

	private static final String KEYS = "cache-aside:";

	private final RedisTemplate<String, byte[]> redis;

	private final JdbcTemplate jdbc;

	private final RedisSerializer<Object> serializer = RedisSerializer.java();

	private final AtomicLong loads = new AtomicLong();

	CacheAsideRepository(RedisTemplate<String, byte[]> redis, JdbcTemplate jdbc) {
		this.redis = redis;
		this.jdbc = jdbc;
	}

	@Override
	public MapSession createSession() {
		return new MapSession();
	}

	@Override
	public void save(MapSession session) {
		byte[] data = this.serializer.serialize(session);
		Duration life = session.getMaxInactiveInterval();
		this.jdbc.update(
				"insert into " + TABLE + " values (?, ?, ?) on conflict (session_id) do update set "
						+ "session_data = excluded.session_data, expires_at = excluded.expires_at",
				session.getId(), data, session.getLastAccessedTime().plus(life).toEpochMilli());
		this.redis.opsForValue().set(KEYS + session.getId(), data, life);
		if (!session.getOriginalId().equals(session.getId())) {
			deleteById(session.getOriginalId());
		}
	}

	@Override
	public MapSession findById(String id) {
		byte[] data = this.redis.opsForValue().get(KEYS + id);
		if (data == null) {
			data = load(id);
			if (data == null) {
				return null;
			}
			this.redis.opsForValue().set(KEYS + id, data, MapSession.DEFAULT_MAX_INACTIVE_INTERVAL);
		}
		MapSession session = (MapSession) this.serializer.deserialize(data);
		session.setSessionIdGenerator(UuidSessionIdGenerator.getInstance());
		return session.isExpired() ? null : session;
	}

	/**
	 * How many reads Redis has missed so far.
	 */
	public long loads() {
		return this.loads.get();
	}

	private byte[] load(String id) {
		this.loads.incrementAndGet();
		List<byte[]> rows = this.jdbc.queryForList("select session_data from " + TABLE + " where session_id = ?",
				byte[].class, id);
		return rows.isEmpty() ? null : rows.get(0);
	}

	@Override
	public void deleteById(String id) {
		this.jdbc.update("delete from " + TABLE + " where session_id = ?", id);
		this.redis.delete(KEYS + id);
	}

}
