import com.google.protobuf.Any;
import com.google.protobuf.ByteString;
import com.google.protobuf.Duration;
import com.google.protobuf.util.Durations;
import com.google.protobuf.util.Timestamps;
import com.google.rpc.BadRequest;
import com.google.rpc.ErrorInfo;
import com.google.rpc.RetryInfo;
import io.grpc.Grpc;
import io.grpc.InsecureChannelCredentials;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.StatusException;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.grpc.stub.BlockingClientCall;
import io.grpc.stub.ClientCalls;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeMap;
import java.util.UUID;
import java.util.concurrent.TimeUnit;
import moorage.v1.*;

/**
 * The main job in Java, by what protoc-gen-grpc-java makes of the protos.
 *
 * <pre>Interop ADDRESS ARCHIVE BUSY</pre>
 */
public final class Interop {
  private static final String NAME = "interop";
  private static final String SCRIPT =
      "trap 'echo bye; echo warned >&2; exit 7' TERM; echo ready; sleep 1000 & wait";
  private static final int CHUNK = 256 * 1024;

  private final ContainerServiceGrpc.ContainerServiceBlockingStub containers;
  private final ExecServiceGrpc.ExecServiceBlockingStub execs;
  private final ImageServiceGrpc.ImageServiceBlockingStub images;

  private Interop(ManagedChannel channel) {
    containers = ContainerServiceGrpc.newBlockingStub(channel);
    execs = ExecServiceGrpc.newBlockingStub(channel);
    images = ImageServiceGrpc.newBlockingStub(channel);
  }

  public static void main(String[] args) throws Exception {
    var channel = Grpc.newChannelBuilder(args[0], InsecureChannelCredentials.create()).build();
    var busy = Grpc.newChannelBuilder(args[2], InsecureChannelCredentials.create()).build();
    try {
      new Interop(channel).run(Path.of(args[1]), ContainerServiceGrpc.newBlockingStub(busy));
    } finally {
      channel.shutdownNow();
      busy.shutdownNow();
    }
  }

  private void run(Path archive, ContainerServiceGrpc.ContainerServiceBlockingStub busy)
      throws Exception {
    importImage(archive);
    var watch = WatchRequest.newBuilder().setFilter(only(NAME)).build();
    var events = follow(containers, ContainerServiceGrpc.getWatchMethod(), watch);
    events.read(); // a heartbeat: from here on nothing is missed
    say("watch: begun");
    Container container = start();
    var ask = LogsRequest.newBuilder().setContainer(NAME).setFollow(true)
        .setFormat(LogFormat.LOG_FORMAT_LINES).build();
    var logs = follow(containers, ContainerServiceGrpc.getLogsMethod(), ask);
    say("logs: first %s", logs.read().getLine());
    inspect(container.getId());
    execSync();
    exec();
    containers.kill(KillRequest.newBuilder().setContainer(NAME).setSignal("SIGTERM").build());
    followOutput(logs);
    awaitExit();
    watched(events, EventKind.EVENT_KIND_RESOURCES_RELEASED);
    errorsTold(busy);
    cleanup();
    watched(events, EventKind.EVENT_KIND_REMOVED);
    events.cancel("enough was seen", null);
    try {
      events.read();
    } catch (StatusException cancelled) {
      say("watch: %s", cancelled.getStatus().getCode());
    }
  }

  private void importImage(Path archive) throws Exception {
    BlockingClientCall<ImportRequest, ImportResponse> call = ClientCalls.blockingClientStreamingCall(
        images.getChannel(), ImageServiceGrpc.getImportMethod(), images.getCallOptions());
    var options = ImportOptions.newBuilder().setName(NAME);
    call.write(ImportRequest.newBuilder().setOptions(options).build());
    try (InputStream file = Files.newInputStream(archive)) {
      byte[] chunk;
      while ((chunk = file.readNBytes(CHUNK)).length > 0) {
        call.write(ImportRequest.newBuilder().setChunk(ByteString.copyFrom(chunk)).build());
      }
    }
    call.halfClose();
    for (Image image : call.read().getImagesList()) {
      say("import: %s", image.getName());
    }
  }

  private Container start() {
    // [first call]
    var spec = ContainerSpec.newBuilder()
        .setName("interop")
        .setImage("interop")
        .addAllCommand(List.of("sh", "-c", SCRIPT))
        .setNetwork("none")
        .putLabels("made-by", "interop")
        .setStopTimeout(Durations.fromMillis(2500))
        .setLogConfig(LogConfig.newBuilder().setDriver(LogDriver.LOG_DRIVER_FILE));
    var request = StartRequest.newBuilder()
        .setSpec(spec)
        .setRequestId(UUID.randomUUID().toString()) // a request that is sent again happens once
        .build();
    var started = containers.withDeadlineAfter(30, TimeUnit.SECONDS).start(request);
    Container container = started.getContainer();
    // [first call]
    var status = container.getStatus();
    say("start: run %d, %s", status.getRun(), status.getState());
    Container again = containers.start(request).getContainer();
    boolean same = again.getId().equals(container.getId());
    int run = again.getStatus().getRun();
    say("start: again, the same container %s, run %d", told(same), run);
    return container;
  }

  private void inspect(String id) {
    Container seen = inspected(id);
    var spec = seen.getSpec();
    var status = seen.getStatus();
    Duration stop = spec.getStopTimeout();
    say("inspect: %s, %s, generation %d, run %d",
        seen.getName(), status.getState(), seen.getGeneration(), status.getRun());
    say("inspect: label made-by=%s, command of %d words",
        spec.getLabelsOrThrow("made-by"), spec.getCommandCount());
    say("inspect: stop_timeout %d s %d ns", stop.getSeconds(), stop.getNanos());
    say("inspect: %s", spec.getLogConfig().getDriver());
    int order = Timestamps.compare(seen.getCreateTime(), status.getStartTime());
    say("inspect: created before it was started %s", told(order < 0));
    say("inspect: has a pid %s, an exit %s", told(status.getPid() > 0), told(status.hasExit()));
  }

  private void execSync() {
    var request = ExecSyncRequest.newBuilder()
        .setContainer(NAME)
        .setSpec(shell("tr a-z A-Z; echo oops >&2; exit 3"))
        .setStdin(ByteString.copyFromUtf8("hello"))
        .build();
    ExecSyncResponse answer = execs.execSync(request);
    String stderr = answer.getStderr().toStringUtf8().strip();
    say("exec_sync: stdout %s, stderr %s", answer.getStdout().toStringUtf8(), stderr);
    say("exec_sync: %s", ended(answer.getExec()));
  }

  private void exec() throws Exception {
    BlockingClientCall<ExecRequest, ExecResponse> call = ClientCalls.blockingBidiStreamingCall(
        execs.getChannel(), ExecServiceGrpc.getExecMethod(), execs.getCallOptions());
    var start = ExecStart.newBuilder()
        .setContainer(NAME).setSpec(shell("cat; exit 4")).setStdin(true);
    call.write(ExecRequest.newBuilder().setStart(start).build());
    call.write(ExecRequest.newBuilder().setStdin(ByteString.copyFromUtf8("ahoy\n")).build());
    call.halfClose(); // the end of stdin
    for (ExecResponse response; (response = call.read()) != null; ) {
      switch (response.getPartCase()) {
        case STARTED -> say("exec: %s", response.getStarted().getState());
        case STDOUT -> say("exec: stdout %s", response.getStdout().toStringUtf8().strip());
        case END -> say("exec: %s", ended(response.getEnd()));
        default -> { }
      }
    }
  }

  private void followOutput(BlockingClientCall<?, LogsResponse> logs) throws Exception {
    var parts = new ArrayList<LogsResponse>();
    for (LogsResponse part; (part = logs.read()) != null; ) {
      if (part.hasLine()) {
        parts.add(part);
      }
    }
    parts.sort(Comparator.comparing(LogsResponse::getStream)); // two streams have no common order
    for (LogsResponse part : parts) {
      say("logs: %s %s", part.getStream(), part.getLine());
    }
    say("logs: ended");
  }

  private void awaitExit() {
    var request = WaitRequest.newBuilder()
        .setContainer(NAME)
        .setCondition(WaitCondition.WAIT_CONDITION_EXITED)
        .setTimeout(Durations.fromSeconds(30))
        .build();
    WaitResponse waited = containers.wait(request);
    Exit exit = waited.getContainer().getStatus().getExit();
    say("wait: reached %s, exit %d, %s",
        told(waited.getReached()), exit.getCode(), exit.getOrigin());
  }

  private void errorsTold(ContainerServiceGrpc.ContainerServiceBlockingStub busy)
      throws Exception {
    var unknown = ContainerSpec.newBuilder().setImage("no/such");
    var wrong = ContainerSpec.newBuilder()
        .setImage("busybox").setStopTimeout(Durations.fromSeconds(-1));
    var right = ContainerSpec.newBuilder().setImage("busybox").setNetwork("none");
    refused(containers, unknown);
    refused(containers, wrong);
    refused(busy, right);
    long before = inspected(NAME).getRevision();
    var watch = WatchRequest.newBuilder().setFilter(only("nobody")).build();
    try {
      var soon = containers.withDeadlineAfter(500, TimeUnit.MILLISECONDS);
      var events = follow(soon, ContainerServiceGrpc.getWatchMethod(), watch);
      while (events.read() != null) { }
    } catch (StatusException passed) {
      boolean same = before == inspected(NAME).getRevision();
      say("deadline: %s, changed nothing %s", passed.getStatus().getCode(), told(same));
    }
  }

  private static void refused(
      ContainerServiceGrpc.ContainerServiceBlockingStub to, ContainerSpec.Builder spec)
      throws Exception {
    try {
      to.start(StartRequest.newBuilder().setSpec(spec).build());
    } catch (StatusRuntimeException error) {
      tell(error);
    }
  }

  // [error]
  private static void tell(StatusRuntimeException error) throws Exception {
    com.google.rpc.Status status = StatusProto.fromThrowable(error);
    for (Any detail : status.getDetailsList()) {
      if (detail.is(ErrorInfo.class)) {
        ErrorInfo info = detail.unpack(ErrorInfo.class);
        var facts = new StringBuilder();
        new TreeMap<>(info.getMetadataMap())
            .forEach((key, value) -> facts.append(" %s=%s".formatted(key, value)));
        var code = error.getStatus().getCode();
        say("error: %s %s/%s%s", code, info.getDomain(), info.getReason(), facts);
        say("error: message %s", status.getMessage());
      } else if (detail.is(BadRequest.class)) {
        for (var violation : detail.unpack(BadRequest.class).getFieldViolationsList()) {
          say("error: field %s: %s", violation.getField(), violation.getDescription());
        }
      } else if (detail.is(RetryInfo.class)) {
        Duration delay = detail.unpack(RetryInfo.class).getRetryDelay();
        say("error: retry after %d ms", Durations.toMillis(delay));
      }
    }
  }
  // [error]

  private void cleanup() throws Exception {
    var request = CleanupRequest.newBuilder().setContainer(NAME).setRemove(true).build();
    CleanupResponse cleaned = containers.cleanup(request);
    for (ReleasedResource row : cleaned.getResourcesList()) {
      say("cleanup: %s %s", row.getKind(), row.getOutcome());
    }
    say("cleanup: complete %s", told(cleaned.getComplete()));
    try {
      inspected(NAME);
    } catch (StatusRuntimeException gone) {
      tell(gone);
    }
  }

  private static void watched(BlockingClientCall<?, WatchResponse> events, EventKind last)
      throws Exception {
    for (WatchResponse item; (item = events.read()) != null; ) {
      if (!item.hasEvent()) {
        continue;
      }
      Event event = item.getEvent();
      say("watch: %s, run %d, %s", event.getKind(), event.getRun(), event.getState());
      if (event.getKind() == last) {
        return;
      }
    }
  }

  private Container inspected(String container) {
    return containers.inspect(InspectRequest.newBuilder().setContainer(container).build())
        .getContainer();
  }

  /** A stream of answers that can be cancelled, which the stub's Iterator cannot. */
  private static <Q, A> BlockingClientCall<Q, A> follow(
      ContainerServiceGrpc.ContainerServiceBlockingStub stub, MethodDescriptor<Q, A> method, Q ask) {
    return ClientCalls.blockingV2ServerStreamingCall(
        stub.getChannel(), method, stub.getCallOptions(), ask);
  }

  private static ContainerFilter only(String name) {
    return ContainerFilter.newBuilder().addNames(name).build();
  }

  private static ExecSpec shell(String script) {
    return ExecSpec.newBuilder().addAllArgs(List.of("sh", "-c", script)).build();
  }

  private static String ended(Exec exec) {
    return "%s, exit %d".formatted(exec.getEndReason(), exec.getExit().getCode());
  }

  private static String told(boolean truth) {
    return truth ? "yes" : "no";
  }

  private static void say(String format, Object... values) {
    System.out.println(format.formatted(values));
  }
}
