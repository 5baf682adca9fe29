// The main job in Node, by what @grpc/proto-loader makes of the protos.
//
//     node main.js ADDRESS ARCHIVE BUSY
import { randomUUID } from "node:crypto";
import { createReadStream } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import grpc from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import googleProtos from "google-proto-files";
import protobuf from "protobufjs";

const NAME = "interop";
const SCRIPT = "trap 'echo bye; echo warned >&2; exit 7' TERM; echo ready; sleep 1000 & wait";

const HERE = dirname(fileURLToPath(import.meta.url));
const OPTIONS = { keepCase: true, longs: String, enums: String, defaults: true, oneofs: true };
const { moorage } = grpc.loadPackageDefinition(
  loadSync(
    ["container_service", "exec_service", "image_service"].map((it) => `moorage/v1/${it}.proto`),
    { ...OPTIONS, includeDirs: [join(HERE, "../../../protos")] },
  ),
);
const google = new protobuf.Root();
google.resolvePath = (_, path) => googleProtos.getProtoPath("..", path);
google.loadSync(["google/rpc/status.proto", "google/rpc/error_details.proto"]);

class Moorage {
  constructor(address) {
    const credentials = grpc.credentials.createInsecure();
    this.containers = new moorage.v1.ContainerService(address, credentials);
    this.execs = new moorage.v1.ExecService(address, credentials);
    this.images = new moorage.v1.ImageService(address, credentials);
  }

  /** A unary call of ContainerService, as a promise. */
  ask(method, request, options = {}) {
    return promisify(this.containers[method]).call(this.containers, request, options);
  }

  close() {
    for (const client of [this.containers, this.execs, this.images]) client.close();
  }
}

async function main(address, archive, busy) {
  const client = new Moorage(address);
  const other = new Moorage(busy);
  await importImage(client, archive);
  const watch = client.containers.Watch({ filter: only(NAME) });
  const events = watch[Symbol.asyncIterator]();
  await events.next(); // a heartbeat: from here on nothing is missed
  say("watch: begun");
  const container = await start(client);
  const follow = { container: NAME, follow: true, format: "LOG_FORMAT_LINES" };
  const logs = client.containers.Logs(follow)[Symbol.asyncIterator]();
  say(`logs: first ${(await logs.next()).value.line}`);
  await inspect(client, container.id);
  await execSync(client);
  await exec(client);
  await client.ask("Kill", { container: NAME, signal: "SIGTERM" });
  await followOutput(logs);
  await wait(client);
  await watched(events, "EVENT_KIND_RESOURCES_RELEASED");
  await errorsTold(client, other);
  await cleanup(client);
  await watched(events, "EVENT_KIND_REMOVED");
  watch.cancel();
  await events.next().catch((error) => say(`watch: ${grpc.status[error.code]}`));
  client.close();
  other.close();
}

async function importImage(client, archive) {
  const imported = await new Promise((resolve, reject) => {
    const call = client.images.Import((error, answer) => (error ? reject(error) : resolve(answer)));
    call.write({ options: { name: NAME } });
    const file = createReadStream(archive, { highWaterMark: 256 * 1024 });
    file.on("data", (chunk) => call.write({ chunk }) || (file.pause(), call.once("drain", () => file.resume())));
    file.on("end", () => call.end());
    file.on("error", (error) => (call.cancel(), reject(error)));
  });
  for (const image of imported.images) say(`import: ${image.name}`);
}

async function start(client) {
  // [first call]
  const spec = {
    name: "interop",
    image: "interop",
    command: ["sh", "-c", SCRIPT],
    network: "none",
    labels: { "made-by": "interop" },
    stop_timeout: { seconds: 2, nanos: 500_000_000 },
    log_config: { driver: "LOG_DRIVER_FILE" },
  };
  // A request that is sent again happens once.
  const request = { spec, request_id: randomUUID() };
  const { container } = await client.ask("Start", request, { deadline: Date.now() + 30_000 });
  // [first call]
  say(`start: run ${container.status.run}, ${container.status.state}`);
  const again = (await client.ask("Start", request)).container;
  const same = told(again.id === container.id);
  say(`start: again, the same container ${same}, run ${again.status.run}`);
  return container;
}

async function inspect(client, id) {
  const { container: seen } = await client.ask("Inspect", { container: id });
  const { spec, status } = seen;
  say(`inspect: ${seen.name}, ${status.state}, generation ${seen.generation}, run ${status.run}`);
  say(`inspect: label made-by=${spec.labels["made-by"]}, command of ${spec.command.length} words`);
  say(`inspect: stop_timeout ${spec.stop_timeout.seconds} s ${spec.stop_timeout.nanos} ns`);
  say(`inspect: ${spec.log_config.driver}`);
  const ordered = nanoseconds(seen.create_time) < nanoseconds(status.start_time);
  say(`inspect: created before it was started ${told(ordered)}`);
  say(`inspect: has a pid ${told(status.pid > 0)}, an exit ${told(status.exit !== null)}`);
}

async function execSync(client) {
  const spec = { args: ["sh", "-c", "tr a-z A-Z; echo oops >&2; exit 3"] };
  const request = { container: NAME, spec, stdin: Buffer.from("hello") };
  const answer = await promisify(client.execs.ExecSync).call(client.execs, request);
  say(`exec_sync: stdout ${answer.stdout}, stderr ${String(answer.stderr).trim()}`);
  say(`exec_sync: ${ended(answer.exec)}`);
}

async function exec(client) {
  const call = client.execs.Exec();
  const spec = { args: ["sh", "-c", "cat; exit 4"] };
  call.write({ start: { container: NAME, spec, stdin: true } });
  call.write({ stdin: Buffer.from("ahoy\n") });
  call.end(); // the end of stdin
  for await (const response of call) {
    switch (response.part) {
      case "started":
        say(`exec: ${response.started.state}`);
        break;
      case "stdout":
        say(`exec: stdout ${String(response.stdout).trim()}`);
        break;
      case "end":
        say(`exec: ${ended(response.end)}`);
        break;
    }
  }
}

async function followOutput(logs) {
  const lines = { LOG_STREAM_STDOUT: [], LOG_STREAM_STDERR: [] }; // they have no common order
  for await (const part of { [Symbol.asyncIterator]: () => logs }) {
    if (part.payload === "line") lines[part.stream].push(part.line);
  }
  for (const [stream, written] of Object.entries(lines)) {
    for (const line of written) say(`logs: ${stream} ${line}`);
  }
  say("logs: ended");
}

async function wait(client) {
  const condition = "WAIT_CONDITION_EXITED";
  const waited = await client.ask("Wait", { container: NAME, condition, timeout: { seconds: 30 } });
  const { exit } = waited.container.status;
  say(`wait: reached ${told(waited.reached)}, exit ${exit.code}, ${exit.origin}`);
}

async function errorsTold(client, busy) {
  const wrong = { image: "busybox", stop_timeout: { seconds: -1 } };
  await client.ask("Start", { spec: { image: "no/such" } }).catch(tell);
  await client.ask("Start", { spec: wrong }).catch(tell);
  await busy.ask("Start", { spec: { image: "busybox", network: "none" } }).catch(tell);
  const before = (await client.ask("Inspect", { container: NAME })).container.revision;
  try {
    const deadline = Date.now() + 500;
    for await (const _ of client.containers.Watch({ filter: only("nobody") }, { deadline }));
  } catch (error) {
    const after = (await client.ask("Inspect", { container: NAME })).container.revision;
    say(`deadline: ${grpc.status[error.code]}, changed nothing ${told(before === after)}`);
  }
}

// [error]
function tell(error) {
  const [packed] = error.metadata.get("grpc-status-details-bin");
  for (const detail of google.lookupType("google.rpc.Status").decode(packed).details) {
    const name = detail.type_url.split("/").pop();
    const it = google.lookupType(name).decode(detail.value);
    switch (name) {
      case "google.rpc.ErrorInfo": {
        const facts = Object.entries(it.metadata).sort().map(([key, value]) => ` ${key}=${value}`);
        say(`error: ${grpc.status[error.code]} ${it.domain}/${it.reason}${facts.join("")}`);
        say(`error: message ${error.details}`);
        break;
      }
      case "google.rpc.BadRequest":
        for (const { field, description } of it.fieldViolations) {
          say(`error: field ${field}: ${description}`);
        }
        break;
      case "google.rpc.RetryInfo": {
        const { seconds, nanos } = it.retryDelay;
        say(`error: retry after ${Number(seconds) * 1000 + nanos / 1e6} ms`);
        break;
      }
    }
  }
}
// [error]

async function cleanup(client) {
  const cleaned = await client.ask("Cleanup", { container: NAME, remove: true });
  for (const row of cleaned.resources) say(`cleanup: ${row.kind} ${row.outcome}`);
  say(`cleanup: complete ${told(cleaned.complete)}`);
  await client.ask("Inspect", { container: NAME }).catch(tell);
}

async function watched(events, last) {
  for (let next; !(next = await events.next()).done; ) {
    const { item, event } = next.value;
    if (item !== "event") continue;
    say(`watch: ${event.kind}, run ${event.run}, ${event.state}`);
    if (event.kind === last) return;
  }
}

const only = (name) => ({ names: [name] });
const ended = (command) => `${command.end_reason}, exit ${command.exit.code}`;
const nanoseconds = (time) => BigInt(time.seconds) * 1_000_000_000n + BigInt(time.nanos);
const told = (truth) => (truth ? "yes" : "no");
const say = (text) => console.log(text);

await main(...process.argv.slice(2));
