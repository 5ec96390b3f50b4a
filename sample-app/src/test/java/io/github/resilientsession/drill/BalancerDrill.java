package io.github.resilientsession.drill;

import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

import io.github.resilientsession.sample.Programs;
import io.github.resilientsession.testsupport.PostgresServer;
import io.github.resilientsession.testsupport.RedisServer;
import org.awaitility.Awaitility;

/**
 * Three nodes behind HAProxy without affinity: nodes are killed and started again in
 * turn, and then Redis too.
 */
final class BalancerDrill implements Drill {

	private static final int USERS = 2_100;

	/**
	 * Each looks at something, or buys it, each twenty seconds.
	 */
	private static final int SECONDS_BETWEEN_VISITS = 20;

	private static final int NODES = 3;

	private static final Duration DOWN = Duration.ofSeconds(5);

	private static final Duration AT_MOST = Duration.ofMinutes(1);

	@Override
	public String name() {
		return "balancer";
	}

	@Override
	public String title() {
		return "three nodes behind HAProxy, without affinity";
	}

	@Override
	public Optional<String> needs() {
		return Programs.find("haproxy").isPresent() ? Optional.empty()
				: Optional.of("HAProxy is not installed (apt-get install haproxy)");
	}

	@Override
	public Result play(Contender contender, Stage stage) throws Exception {
		Path haproxy = Programs.find("haproxy").orElseThrow();
		boolean ours = contender == Contender.RESILIENT;
		String name = ours ? Side.OURS : Side.PLAIN;
		List<ShopNode> nodes = new ArrayList<>();
		try (RedisServer redis = RedisServer.start(); PostgresServer postgres = PostgresServer.start()) {
			String url = postgres.createDatabase();
			for (int i = 1; i <= NODES; i++) {
				nodes.add(new ShopNode(name + "-" + i, settings(ours, redis, url, postgres)));
			}
			stage.say("%s: %d nodes start", name, NODES);
			nodes.forEach(ShopNode::awaitReady);
			try (LoadBalancer balancer = new LoadBalancer(haproxy, nodes)) {
				Side side = new Side(name, new HttpShop(balancer.uri()), "spring:session:sessions:",
						ours ? PostgresServer.database(url) : "", "resilient-session",
						() -> nodes.stream().mapToLong(ShopNode::misses).sum(), null, () -> {
							for (ShopNode node : nodes) {
								node.kill();
							}
						});
				try (side; Crowd crowd = new Crowd(side.shop())) {
					return play(side, crowd, nodes, balancer, redis, postgres, stage);
				}
			}
		}
		finally {
			for (ShopNode node : nodes) {
				node.close();
			}
		}
	}

	private Result play(Side side, Crowd crowd, List<ShopNode> nodes, LoadBalancer balancer, RedisServer redis,
			PostgresServer postgres, Stage stage) throws Exception {
		stage.say("%s: %d users log in", side.name(), stage.scaled(USERS));
		crowd.begin(stage.scaled(USERS));
		// Whoever logs in at one node asks another next.
		crowd.lookAtAll();
		long loops = crowd.falseLogouts();
		crowd.change(0.5, 0);
		crowd.goShopping(Math.max(20, stage.scaled(USERS) / SECONDS_BETWEEN_VISITS));
		try (Watch watch = Watch.begin(redis, postgres, side, crowd)) {
			for (ShopNode node : nodes) {
				int before = balancer.broughtBack();
				node.kill();
				stage.say("%s: a node is killed", side.name());
				stage.pass(DOWN);
				node.start();
				node.awaitReady();
				Awaitility.await().atMost(AT_MOST).until(() -> balancer.broughtBack() > before);
			}
			int dead = balancer.takenOutDead();
			long errorsByNodes = crowd.errors();
			watch.happensAgain();
			redis.kill();
			stage.say("%s: Redis is killed", side.name());
			stage.pass(DOWN);
			long ready = nodes.stream().filter(ShopNode::isReady).count();
			redis.restartEmpty();
			stage.say("%s: Redis is back, empty; %d nodes are ready", side.name(), ready);
			watch.awaitWarm(DOWN.multipliedBy(2), stage.scaled(AT_MOST));
			int unready = balancer.takenOutUnready();
			Map<String, Object> details = new LinkedHashMap<>();
			details.put("nodes_taken_out_when_dead", dead);
			details.put("nodes_taken_out_for_not_being_ready", unready);
			details.put("login_loops", loops);
			details.put("errors_while_nodes_were_killed", errorsByNodes);
			details.put("nodes_ready_while_redis_was_down", ready);
			return watch.end(name(), details, Demand.not(loops > 0, "users were logged out by the next node"),
					Demand.not(dead < NODES, "HAProxy did not notice that a node was killed"),
					Demand.not(ready < NODES, "nodes said without Redis that they are not ready"),
					Demand.not(unready > 0, "HAProxy took out nodes that had not been killed"), watch.warm());
		}
	}

	private static List<String> settings(boolean ours, RedisServer redis, String url, PostgresServer postgres) {
		return List.of("--spring.profiles.active=" + (ours ? "postgres" : "postgres,plain"),
				"--spring.data.redis.url=" + redis.uri(), "--spring.datasource.url=" + url,
				"--spring.datasource.username=" + postgres.username(),
				"--spring.datasource.password=" + postgres.password());
	}

}
