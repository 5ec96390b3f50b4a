package io.github.resilientsession.redis;

import java.time.Clock;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;

import io.github.resilientsession.codec.AttributeCodec;
import io.github.resilientsession.record.ClusterClock;
import io.github.resilientsession.record.SessionStoreListener;
import io.github.resilientsession.record.TtlPolicy;
import io.github.resilientsession.testsupport.RealServers;
import io.github.resilientsession.testsupport.RedisServer;
import io.github.resilientsession.testsupport.Wire;
import io.lettuce.core.AclSetuserArgs;
import io.lettuce.core.codec.StringCodec;
import io.lettuce.core.output.StatusOutput;
import io.lettuce.core.protocol.CommandArgs;
import io.lettuce.core.protocol.CommandType;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

import org.springframework.data.redis.connection.RedisStandaloneConfiguration;
import org.springframework.data.redis.connection.lettuce.LettuceConnectionFactory;
import org.springframework.data.redis.serializer.RedisSerializer;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

/**
 * Tests for {@link Heartbeat}: what several nodes agree upon about one Redis.
 */
@RealServers
class HeartbeatTests {

	private static final Duration LIMIT = Duration.ofSeconds(2);

	private static final String KEY = "spring:session:agreed";

	private final RedisServer server;

	private final List<RedisTier> tiers = new ArrayList<>();

	private long beat = 1_000;

	HeartbeatTests(RedisServer server) {
		this.server = server;
	}

	@BeforeEach
	void forget() {
		this.server.flushAll();
	}

	@AfterEach
	void close() {
		this.tiers.forEach(RedisTier::close);
	}

	@Test
	void redisThatWasNeverCompared_isNotTrusted_untilOneNodeHasComparedIt() {
		RedisTier one = node();
		RedisTier two = node();
		assertThat(List.of(trusts(one), trusts(two))).containsOnly(false);
		assertThat(one.trust().state().fresh()).isTrue();
		assertThat(agree(one)).isTrue();
		assertThat(List.of(trusts(one), trusts(two))).containsOnly(true);
		assertThat(this.server.pttl(KEY)).isPositive();
	}

	@Test
	void keysThatAreDeletedFromTheSameRedis_areNoReasonToSuspectTheOthers_butToCompareThem() {
		RedisTier one = agreedNode();
		this.server.flushAll();
		assertThat(trusts(one)).isTrue();
		assertThat(one.heartbeat().agreed()).isFalse();
	}

	@Test
	void comparison_duringWhichRedisLosesItsKeys_orIsReplaced_doesNotCount() {
		RedisTier one = agreedNode();
		Heartbeat.Basis flushed = one.heartbeat().basis();
		this.server.flushAll();
		assertThat(one.heartbeat().basis()).isNotEqualTo(flushed);
		assertThat(one.heartbeat().agree(flushed, ++this.beat)).isFalse();
		Heartbeat.Basis replaced = one.heartbeat().basis();
		this.server.restartEmpty();
		await().atMost(Duration.ofSeconds(10)).until(() -> !one.heartbeat().basis().equals(replaced));
		one.heartbeat().agree(replaced, ++this.beat);
		assertThat(trusts(one)).isFalse();
	}

	@Test
	void nodeThatComesFromAnotherRedis_takesTheAgreementBack_forAll() {
		try (RedisServer other = RedisServer.start(); Wire wire = Wire.to(other.host(), other.port())) {
			RedisTier one = agreedNode();
			RedisTier late = node(wire.host(), wire.port());
			agree(late);
			assertThat(trusts(late)).isTrue();
			wire.redirect(this.server.host(), this.server.port());
			awaitBeat(late);
			assertThat(trusts(late)).isFalse();
			assertThat(trusts(one)).isFalse();
			assertThat(one.trust().state().fresh()).isFalse();
			assertThat(agree(one)).isTrue();
			assertThat(List.of(trusts(one), trusts(late))).containsOnly(true);
		}
	}

	@Test
	void nodeThatComesFromAnotherRedis_duringAComparison_makesItCountForNothing() {
		try (RedisServer other = RedisServer.start(); Wire wire = Wire.to(other.host(), other.port())) {
			RedisTier one = node();
			RedisTier late = node(wire.host(), wire.port());
			agree(late);
			trusts(late);
			Heartbeat.Basis first = one.heartbeat().basis();
			wire.redirect(this.server.host(), this.server.port());
			awaitBeat(late);
			assertThat(one.heartbeat().agree(first, ++this.beat)).isFalse();
			Heartbeat.Basis second = one.heartbeat().basis();
			wire.redirect(other.host(), other.port());
			awaitBeat(late);
			wire.redirect(this.server.host(), this.server.port());
			awaitBeat(late);
			assertThat(one.heartbeat().agree(second, ++this.beat)).isFalse();
			assertThat(List.of(trusts(one), trusts(late))).containsOnly(false);
			// It is here now, and does not take back what is agreed from now on.
			assertThat(agree(one)).isTrue();
			assertThat(List.of(trusts(one), trusts(late), trusts(late))).containsOnly(true);
		}
	}

	@Test
	void olderDataInTheSameRedis_isNoticedByTheNodeThatKnowsBetter_andSeenByAll() {
		RedisTier one = agreedNode();
		RedisTier two = node();
		this.server.call((commands) -> commands.save());
		for (int i = 0; i < 3; i++) {
			assertThat(trusts(one)).isTrue();
		}
		goBack();
		assertThat(trusts(one)).isFalse();
		// It had seen none of the beats that are missing.
		assertThat(trusts(two)).isFalse();
		assertThat(agree(two)).isTrue();
		assertThat(List.of(trusts(one), trusts(two))).containsOnly(true);
	}

	@Test
	void redisThatDoesNotLetItsUserAsk_isTrustedOnceCompared_andOlderDataIsNoticedByTheCounter() {
		this.server.call((commands) -> commands.aclSetuser("shy",
				AclSetuserArgs.Builder.on()
					.nopass()
					.allKeys()
					.allChannels()
					.allCommands()
					.removeCommand(CommandType.INFO)));
		RedisStandaloneConfiguration shy = new RedisStandaloneConfiguration(this.server.host(), this.server.port());
		shy.setUsername("shy");
		shy.setPassword("any");
		RedisTier one = node(new LettuceConnectionFactory(shy));
		assertThat(trusts(one)).isFalse();
		assertThat(agree(one)).isTrue();
		assertThat(trusts(one)).isTrue();
		// What it cannot know it does not count on.
		assertThat(one.keepsCopies()).isFalse();
		assertThat(one.memoryLeft(0)).isZero();
		this.server.call((commands) -> commands.save());
		assertThat(trusts(one)).isTrue();
		goBack();
		assertThat(trusts(one)).isFalse();
		this.server.flushAll();
		assertThat(trusts(one)).isFalse();
		assertThat(agree(one)).isTrue();
		assertThat(trusts(one)).isTrue();
	}

	/**
	 * Let the data take the place of the present ones that were saved last.
	 */
	private void goBack() {
		this.server.call((commands) -> commands.dispatch(CommandType.DEBUG, new StatusOutput<>(StringCodec.UTF8),
				new CommandArgs<>(StringCodec.UTF8).add("RELOAD").add("NOSAVE")));
	}

	private RedisTier agreedNode() {
		RedisTier node = node();
		assertThat(agree(node)).isTrue();
		assertThat(trusts(node)).isTrue();
		return node;
	}

	private boolean agree(RedisTier node) {
		return node.heartbeat().agree(node.heartbeat().basis(), ++this.beat * 1_000);
	}

	/**
	 * Whether a node trusts Redis after one more beat.
	 */
	private static boolean trusts(RedisTier node) {
		node.probe();
		return !node.trust().state().suspect();
	}

	private static void awaitBeat(RedisTier node) {
		await().atMost(Duration.ofSeconds(10)).ignoreExceptions().untilAsserted(node::probe);
	}

	private RedisTier node() {
		return node(this.server.host(), this.server.port());
	}

	private RedisTier node(String host, int port) {
		return node(new LettuceConnectionFactory(host, port));
	}

	private RedisTier node(LettuceConnectionFactory application) {
		RedisTier tier = new RedisTier(RedisConnections.derive(application, LIMIT),
				new AttributeCodec(RedisSerializer.java()),
				new TtlPolicy(Duration.ofSeconds(1), Duration.ofDays(1), TtlPolicy.OnViolation.CLAMP),
				new RedisSettings("spring:session", LIMIT), new ClusterClock(Clock.systemUTC()),
				SessionStoreListener.NO_OP);
		this.tiers.add(tier);
		tier.probe();
		return tier;
	}

}
