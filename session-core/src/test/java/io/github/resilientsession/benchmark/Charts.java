package io.github.resilientsession.benchmark;

import java.awt.Color;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.ToDoubleFunction;
import java.util.stream.Collectors;

import org.knowm.xchart.BitmapEncoder;
import org.knowm.xchart.BitmapEncoder.BitmapFormat;
import org.knowm.xchart.XYChart;
import org.knowm.xchart.XYChartBuilder;
import org.knowm.xchart.XYSeries;
import org.knowm.xchart.style.markers.SeriesMarkers;

/**
 * Draws recoveries second by second, as PNG: the same as SVG takes half a megabyte.
 */
final class Charts {

	private static final Map<String, Color> COLORS = Map.of(Peers.RESILIENT, new Color(0x1f6feb), Peers.CACHE_ASIDE,
			new Color(0xd1242f));

	private static final int DPI = 144;

	private final Path directory;

	Charts(Path directory) {
		this.directory = directory;
	}

	/**
	 * Draw two charts for each incident.
	 * @param seconds of all incidents and peers
	 */
	void draw(List<Second> seconds) throws IOException {
		Files.createDirectories(this.directory);
		Map<String, List<Second>> incidents = seconds.stream()
			.collect(Collectors.groupingBy(Second::incident, LinkedHashMap::new, Collectors.toList()));
		for (Map.Entry<String, List<Second>> incident : incidents.entrySet()) {
			draw(incident.getKey(), "queries", "queries per second", false, incident.getValue(), Second::queries);
			draw(incident.getKey(), "p99", "p99 of a read, ms", true, incident.getValue(), Second::p99_ms);
		}
	}

	private void draw(String incident, String figure, String axis, boolean logarithmic, List<Second> seconds,
			ToDoubleFunction<Second> value) throws IOException {
		XYChart chart = new XYChartBuilder().width(860)
			.height(300)
			.title(incident)
			.xAxisTitle("seconds since it happened")
			.yAxisTitle(axis)
			.build();
		chart.getStyler().setYAxisLogarithmic(logarithmic);
		chart.getStyler().setChartBackgroundColor(Color.WHITE);
		Map<String, List<Second>> peers = seconds.stream()
			.collect(Collectors.groupingBy(Second::peer, LinkedHashMap::new, Collectors.toList()));
		peers.forEach((peer, watched) -> {
			double[] times = watched.stream().mapToDouble(Second::second).toArray();
			// A logarithm has no place for zero.
			double[] values = watched.stream().mapToDouble(value).map((one) -> Math.max(one, 0.1)).toArray();
			XYSeries series = chart.addSeries(peer, times, values);
			series.setMarker(SeriesMarkers.NONE);
			series.setLineColor(COLORS.get(peer));
		});
		BitmapEncoder.saveBitmapWithDPI(chart, this.directory.resolve("recovery-" + incident + "-" + figure).toString(),
				BitmapFormat.PNG, DPI);
	}

}
