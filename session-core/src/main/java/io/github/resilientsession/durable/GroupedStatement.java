package io.github.resilientsession.durable;

import java.lang.reflect.Array;
import java.sql.Connection;
import java.sql.PreparedStatement;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.CompletionStage;
import java.util.function.Function;
import java.util.function.ToLongFunction;
import java.util.stream.Collectors;

import org.jspecify.annotations.Nullable;

/**
 * A statement of PostgreSQL that does for many rows what requests want at the same time,
 * each for one row, with one commit: what a commit costs is the wait for the disk, and
 * most of what a statement costs is not the row. Safe for use by many threads.
 *
 * @param <T> what a request wants for its row
 * @param <R> what comes of it
 */
final class GroupedStatement<T, R> {

	private static final int MAX_SIZE = 64;

	/**
	 * More is not sent at once: a network that swallows it would stop all that waits
	 * behind.
	 */
	private static final long MAX_BYTES = 128 * 1024;

	private final Statements statements;

	private final String task;

	private final String sql;

	private final List<Column<T>> columns;

	private final R absent;

	private final RowReader<R> reader;

	private final @Nullable Function<T, R> one;

	private final GroupCommit<T, R> groups;

	/**
	 * Create a statement.
	 * @param sql the statement, with {@code %s} for what gives the wanted rows as
	 * {@code wanted}, with the columns and {@code position}; it returns the position of
	 * each row for which it was done, and what the reader reads
	 * @param columns of what is wanted
	 * @param bytes how many bytes of attributes a wanted row has
	 * @param absent what comes of it where it was not done
	 * @param reader reads what comes of it, from the second column on
	 * @param one does the same for one row that comes alone, with less work; may be
	 * {@code null}
	 * @param patience how long a request waits for its turn
	 */
	GroupedStatement(Statements statements, String task, String sql, List<Column<T>> columns, ToLongFunction<T> bytes,
			R absent, RowReader<R> reader, @Nullable Function<T, R> one, Duration patience) {
		this.statements = statements;
		this.task = task;
		this.sql = sql.formatted(wanted(columns));
		this.columns = columns;
		this.absent = absent;
		this.reader = reader;
		this.one = one;
		this.groups = new GroupCommit<>(MAX_SIZE, MAX_BYTES, bytes, patience, this::executeAll);
	}

	/**
	 * The columns come as arrays, out of a subquery that PostgreSQL leaves as it is: it
	 * would else look at how long they are and make a plan for each, which costs more
	 * than to execute it.
	 */
	private static String wanted(List<? extends Column<?>> columns) {
		String arrays = columns.stream()
			.map((column) -> "cast(? as %s[]) %s".formatted(column.type().sqlName, column.name()))
			.collect(Collectors.joining(", "));
		String names = columns.stream().map(Column::name).collect(Collectors.joining(", "));
		return "(select %s offset 0) as given cross join unnest(%s) with ordinality as wanted (%s, position)"
			.formatted(arrays, "given." + names.replace(", ", ", given."), names);
	}

	/**
	 * Execute it for one row, together with others.
	 * @param next what to begin as soon as it is committed, or {@code null}
	 * @return what came of it
	 */
	R execute(T wanted, @Nullable Function<R, ? extends @Nullable CompletionStage<?>> next) {
		return this.groups.execute(wanted, next);
	}

	private List<R> executeAll(List<T> all) {
		if (this.one != null && all.size() == 1) {
			return List.of(this.one.apply(all.get(0)));
		}
		return this.statements.execute(this.task, this.sql, (statement) -> {
			bind(statement, all);
			List<R> results = new ArrayList<>(Collections.nCopies(all.size(), this.absent));
			try (ResultSet rows = statement.executeQuery()) {
				while (rows.next()) {
					results.set(rows.getInt(1) - 1, this.reader.read(rows));
				}
			}
			return results;
		});
	}

	private void bind(PreparedStatement statement, List<T> all) throws SQLException {
		Connection connection = statement.getConnection();
		for (int i = 0; i < this.columns.size(); i++) {
			Column<T> column = this.columns.get(i);
			// Of its own type: the driver sends others as text.
			Object[] values = (Object[]) Array.newInstance(column.type().javaType, all.size());
			for (int row = 0; row < values.length; row++) {
				values[row] = column.value().apply(all.get(row));
			}
			statement.setArray(i + 1, connection.createArrayOf(column.type().sqlName, values));
		}
	}

	/**
	 * The type of a column.
	 */
	enum ColumnType {

		TEXT("varchar", String.class), NUMBER("int8", Long.class), BYTES("bytea", byte[].class),
		FLAG("bool", Boolean.class);

		private final String sqlName;

		private final Class<?> javaType;

		ColumnType(String sqlName, Class<?> javaType) {
			this.sqlName = sqlName;
			this.javaType = javaType;
		}

	}

	/**
	 * A column of what is wanted.
	 */
	record Column<T>(String name, ColumnType type, Function<T, @Nullable Object> value) {

	}

	/**
	 * Reads what came of a row.
	 */
	@FunctionalInterface
	interface RowReader<R> {

		R read(ResultSet row) throws SQLException;

	}

}
