package io.github.resilientsession.benchmark;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.TimeUnit;

import io.github.resilientsession.codec.AttributeCodec;
import io.github.resilientsession.codec.AttributesPayload;
import io.github.resilientsession.codec.NumberCodec;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;
import org.openjdk.jmh.infra.Blackhole;

import org.springframework.data.redis.serializer.RedisSerializer;

/**
 * What it takes to turn a session of ten attributes into bytes and back.
 */
@State(Scope.Benchmark)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.NANOSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class CodecBenchmark {

	@Param({ "1.2 KB", "10 KB" })
	public String payload;

	private final AttributeCodec codec = new AttributeCodec(RedisSerializer.java());

	private final NumberCodec numbers = new NumberCodec(this.codec);

	private final Map<String, byte[]> attributes = new LinkedHashMap<>();

	private byte[] column;

	private byte[] number;

	@Setup
	public void serialize() {
		Payload size = this.payload.equals(Payload.SMALL.name()) ? Payload.SMALL : Payload.LARGE;
		size.attributes().forEach((name, value) -> this.attributes.put(name, this.codec.encode(name, value)));
		this.column = AttributesPayload.encode(this.attributes);
		this.number = this.numbers.encode(1_764_000_000_000L);
	}

	@Benchmark
	public byte[] attributesToColumn() {
		return AttributesPayload.encode(this.attributes);
	}

	@Benchmark
	public Map<String, byte[]> columnToAttributes() {
		return AttributesPayload.decode(this.column);
	}

	@Benchmark
	public Object oneAttributeOfTenDeserialized() {
		return this.codec.decode("attribute3", this.attributes.get("attribute3"));
	}

	@Benchmark
	public void allTenAttributesDeserialized(Blackhole used) {
		this.attributes.forEach((name, bytes) -> used.consume(this.codec.decode(name, bytes)));
	}

	@Benchmark
	public byte[] numberWritten() {
		return this.numbers.encode(1_764_000_000_000L);
	}

	@Benchmark
	public long numberRead() {
		return this.numbers.decode(this.number);
	}

	@Benchmark
	public byte[] numberWrittenByTheSerializer() {
		return this.codec.encode("number", 1_764_000_000_000L);
	}

	@Benchmark
	public Object numberReadByTheSerializer() {
		return this.codec.decode("number", this.number);
	}

}
