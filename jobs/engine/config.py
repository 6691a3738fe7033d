"""What the embedded engine is configured with: pure functions from settings to text, no processes, no files."""

from __future__ import annotations

from contracts.settings import Settings
from jobs.engine.paths import EnginePaths

# Every session of every client gets these, whatever the endpoint's own defaults are: dbt forces ANSI mode off in
# its session, and one SQL text must have one meaning.
SESSION_CONF = {
    "spark.sql.ansi.enabled": "false",
    "spark.sql.session.timeZone": "UTC",
    # Else a statement with `${env:NAME}` has the server's environment put there, in which the clients' token stands.
    "spark.sql.variable.substitute": "false",
    # The JVM never compiles a method of more than 8,000 bytes of bytecode. Above that Spark shall split a stage's code
    # instead of fusing it: judging 80 rules of a claim line went from 3.0 to 1.6 s for the same rows.
    "spark.sql.codegen.hugeMethodLimit": "8000",
    # A text is looked up in a set of more than four by its hash; Spark's default would compare it with ten in turn, and
    # comparing texts was most of what sixty rules cost.
    "spark.sql.optimizer.inSetConversionThreshold": "4",
}

DELTA_CONF = {
    "spark.sql.extensions": "io.delta.sql.DeltaSparkSessionExtension",
    "spark.sql.catalog.spark_catalog": "org.apache.spark.sql.delta.catalog.DeltaCatalog",
    # With the default of 50 a first tiny write took 57 s on a busy two-core machine, with 1 it took 6 s.
    "spark.databricks.delta.snapshotPartitions": "1",
    # Nights are found by partition; minima and maxima of 150 text columns per file cost more than they ever skip.
    "spark.databricks.delta.properties.defaults.dataSkippingNumIndexedCols": "3",
}

# A training step may compute for hours between two queries; the default of 60 minutes would lose its session.
SESSION_TIMEOUT = "12h"

JAVA_MODULE_OPTIONS = (
    "-XX:+IgnoreUnrecognizedVMOptions",
    *(
        f"--add-opens=java.base/{package}=ALL-UNNAMED"
        for package in (
            "java.lang",
            "java.lang.invoke",
            "java.lang.reflect",
            "java.io",
            "java.net",
            "java.nio",
            "java.util",
            "java.util.concurrent",
            "java.util.concurrent.atomic",
            "jdk.internal.ref",
            "sun.nio.ch",
            "sun.nio.cs",
            "sun.security.action",
            "sun.util.calendar",
        )
    ),
    "-Djdk.reflect.useDirectMethodHandle=false",
    "-Dio.netty.tryReflectionSetAccessible=true",
    "--enable-native-access=ALL-UNNAMED",
)


# Each query brings generated code of its own, most of which runs briefly. At the JVM's own thresholds its second compiler
# took 137 of the 320 CPU seconds that a first night of 20,000 members needs up to its staging tables; at ten times these
# all of it needs 225, and what a large plan runs long is still compiled twice. A code cache of the default size would
# throw code away to make room, and compile it again.
COMPILER_OPTIONS = (
    "-XX:ReservedCodeCacheSize=1g",
    "-XX:Tier4InvocationThreshold=50000",
    "-XX:Tier4MinInvocationThreshold=6000",
    "-XX:Tier4CompileThreshold=150000",
    "-XX:Tier4BackEdgeThreshold=400000",
)


def spark_conf(config: Settings, paths: EnginePaths, port: int) -> dict[str, str]:
    """Spark properties of the server listening on `port`."""
    scratch = str(paths.scratch)
    return {
        **DELTA_CONF,
        **SESSION_CONF,
        "spark.master": "local[*]",
        "spark.app.name": "outreach-engine",
        "spark.driver.memory": config.engine_memory,
        "spark.driver.host": "localhost",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.connect.grpc.binding.address": "127.0.0.1",
        "spark.connect.grpc.binding.port": str(port),
        "spark.connect.session.manager.defaultSessionTimeout": SESSION_TIMEOUT,
        "spark.connect.execute.manager.detachedTimeout": "30m",
        "spark.local.dir": scratch,
        "spark.sql.warehouse.dir": config.warehouse_url,
        # The Hive catalog, because the in-memory one forgets every table when the server stops.
        "spark.sql.catalogImplementation": "hive",
        "spark.hadoop.javax.jdo.option.ConnectionURL": "jdbc:derby:;databaseName=metastore_db;create=true",
        "spark.hadoop.datanucleus.schema.autoCreateAll": "true",
        "spark.hadoop.hive.metastore.schema.verification": "false",
        # A statement that is cancelled while it asks the metastore loses its connection, and a pool never hears of it: after
        # eight such statements every other waited forever. The metastore is in this process; connecting takes no time.
        "spark.hadoop.datanucleus.connectionPoolingType": "NONE",
        # Delta holds the schema; Hive would refuse, with a stack trace in the log, to note that a column changed.
        "spark.hadoop.hive.metastore.disallow.incompatible.col.type.changes": "false",
        "spark.sql.sources.default": "delta",
        "spark.sql.legacy.createHiveTableByDefault": "false",
        "spark.hadoop.hive.exec.scratchdir": scratch,
        "spark.hadoop.hive.exec.local.scratchdir": scratch,
        "spark.hadoop.hive.querylog.location": scratch,
        "spark.hadoop.hive.downloaded.resources.dir": scratch,
        # Fixed costs count on a laptop: few partitions, and adaptive execution splits what turns out large.
        "spark.sql.shuffle.partitions": "4",
        "spark.sql.adaptive.enabled": "true",
        "spark.sql.codegen.cache.maxEntries": "1000",
        "spark.default.parallelism": "4",
        # Delta's VACUUM deals a table's folders to so many tasks: with the default of 10,000 an empty table took a minute.
        "spark.sql.sources.parallelPartitionDiscovery.parallelism": "4",
        "spark.sql.parquet.compression.codec": "zstd",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
        "spark.python.daemon.module": "jobs.engine.worker_daemon",
        # A client's exception says what was wrong; sixty lines of the planner's stack belong in no user's terminal.
        "spark.sql.connect.serverStacktrace.enabled": "false",
        "spark.sql.pyspark.jvmStacktrace.enabled": "false",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        # The status store grows with every query even without a web page to show it.
        "spark.ui.retainedJobs": "50",
        "spark.ui.retainedStages": "50",
        "spark.ui.retainedTasks": "1000",
        "spark.sql.ui.retainedExecutions": "20",
        "spark.connect.ui.retainedSessions": "20",
        "spark.connect.ui.retainedStatements": "20",
        "spark.sql.streaming.ui.enabled": "false",
    }


def properties_text(conf: dict[str, str]) -> str:
    """A Java properties file; a backslash in a value would otherwise start an escape."""
    return "".join(f"{key}={value.replace(chr(92), chr(92) * 2)}\n" for key, value in sorted(conf.items()))


def log4j_text(paths: EnginePaths, *, console: bool = False) -> str:
    """Logging to one file that rolls at 20 MB; in a container, to the console as well.

    WARN and above only: at INFO the planner and the code generator print literals and rows, which may be a member's. Of
    Delta only errors: a warning of its prints a whole snapshot, with the least and the greatest value of each file.
    """
    log = str(paths.log)
    if console:
        return _log4j_file(log) + _LOG4J_CONSOLE
    return _log4j_file(log)


_LOG4J_CONSOLE = """\
rootLogger.appenderRef.console.ref = console
appender.console.type = Console
appender.console.name = console
appender.console.target = SYSTEM_ERR
appender.console.layout.type = PatternLayout
appender.console.layout.pattern = %d{ISO8601}{UTC}Z %p %c{1}: %m%n
"""


def _log4j_file(log: str) -> str:
    return f"""\
status = error
rootLogger.level = warn
rootLogger.appenderRef.file.ref = file
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = {log}
appender.file.filePattern = {log}.%i
appender.file.filePermissions = rw-------
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{{ISO8601}}{{UTC}}Z %p %c{{1}}: %m%n%xEx{{30}}
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 20MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 3
logger.server.name = org.apache.spark.sql.connect.service.SparkConnectServer
logger.server.level = info
logger.datanucleus.name = DataNucleus
logger.datanucleus.level = error
logger.hive.name = org.apache.hadoop.hive
logger.hive.level = error
logger.planner.name = org.apache.spark.sql.catalyst.expressions.codegen
logger.planner.level = error
logger.delta.name = org.apache.spark.sql.delta
logger.delta.level = error
"""


def java_options(config: Settings, paths: EnginePaths) -> list[str]:
    """Options of the server's JVM, its heap among them.

    An engine out of memory must die and be seen to be dead: a JVM that limps on loses answers silently.
    """
    return [
        f"-Xmx{config.engine_memory}",
        "-XX:+ExitOnOutOfMemoryError",
        # On two cores G1's concurrent threads compete with the query itself.
        "-XX:+UseParallelGC",
        *COMPILER_OPTIONS,
        *JAVA_MODULE_OPTIONS,
        f"-Djava.io.tmpdir={paths.scratch}",
        f"-Dderby.system.home={paths.metastore}",
        f"-Dderby.stream.error.file={paths.metastore / 'derby.log'}",
        f"-Dlog4j2.configurationFile={paths.conf / 'log4j2.properties'}",
        "-Duser.timezone=UTC",
    ]
