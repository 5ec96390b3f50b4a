package io.github.resilientsession.checker;

import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;

import io.lettuce.core.RedisException;
import io.lettuce.core.ScriptOutputType;

/**
 * A thread that looks throughout for keys without a TTL.
 */
final class TtlScan implements AutoCloseable {

	private static final String SCRIPT = """
			local page = redis.call('SCAN', ARGV[1], 'MATCH', 'spring:session*', 'COUNT', 500)
			local answer = {page[1]}
			for _, key in ipairs(page[2]) do
			  if redis.call('PTTL', key) == -1 then
			    table.insert(answer, key)
			  end
			end
			return answer
			""";

	static final String SCANS = "scans for keys without TTL";

	private final Cluster cluster;

	private final Findings findings;

	private final Figures figures;

	private final CountDownLatch closed = new CountDownLatch(1);

	private final Thread thread = new Thread(this::run, "ttl-scan");

	TtlScan(Cluster cluster, Findings findings, Figures figures) {
		this.cluster = cluster;
		this.findings = findings;
		this.figures = figures;
	}

	void start() {
		this.thread.start();
	}

	private void run() {
		try {
			while (!this.closed.await(250, TimeUnit.MILLISECONDS)) {
				try {
					scan();
					this.figures.count(SCANS);
				}
				catch (RedisException ex) {
					// Redis is down, hung, or does not let us in.
				}
				catch (RuntimeException ex) {
					this.findings.checkFailed("The scan for keys without a TTL failed: " + ex);
				}
			}
		}
		catch (InterruptedException ex) {
			Thread.currentThread().interrupt();
		}
	}

	private void scan() {
		this.cluster.administer((redis) -> {
			String cursor = "0";
			do {
				List<Object> page = redis.eval(SCRIPT, ScriptOutputType.MULTI, new String[0], cursor);
				cursor = (String) page.get(0);
				page.stream().skip(1).forEach((key) -> this.findings.keyWithoutTtl((String) key));
			}
			while (!"0".equals(cursor) && this.closed.getCount() > 0);
			return true;
		});
	}

	@Override
	public void close() throws InterruptedException {
		this.closed.countDown();
		this.thread.join(10_000);
	}

}
