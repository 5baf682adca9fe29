//! The main job in Rust, by what tonic makes of the protos.
//!
//!     interop ADDRESS ARCHIVE BUSY

use std::collections::BTreeMap;
use std::error::Error;
use std::time::Duration;

use prost_types::Timestamp;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status, Streaming};
use tonic_types::StatusExt;

mod v1 {
    tonic::include_proto!("moorage.v1");
}
use v1::container_service_client::ContainerServiceClient;
use v1::exec_service_client::ExecServiceClient;
use v1::image_service_client::ImageServiceClient;

type Outcome<T = ()> = Result<T, Box<dyn Error>>;

const NAME: &str = "interop";
const SCRIPT: &str = "trap 'echo bye; echo warned >&2; exit 7' TERM; echo ready; sleep 1000 & wait";

#[tokio::main(flavor = "current_thread")]
async fn main() -> Outcome {
    let [address, archive, busy] = std::env::args().skip(1).collect::<Vec<_>>().try_into().unwrap();
    let channel = Endpoint::from_shared(address)?.connect().await?;
    let mut containers = ContainerServiceClient::new(channel.clone());
    let mut other = ContainerServiceClient::new(Endpoint::from_shared(busy)?.connect().await?);

    import_image(channel.clone(), archive.clone()).await?;
    let filter = Some(only(NAME));
    let watch = v1::WatchRequest { filter, ..Default::default() };
    let mut events = containers.watch(watch).await?.into_inner();
    events.message().await?; // a heartbeat: from here on nothing is missed
    println!("watch: begun");

    let container = start(&mut containers).await?;
    let follow = v1::LogsRequest {
        container: NAME.into(),
        follow: true,
        format: v1::LogFormat::Lines.into(),
        ..Default::default()
    };
    let mut logs = containers.logs(follow).await?.into_inner();
    println!("logs: first {}", line_of(logs.message().await?.as_ref()).unwrap_or_default());
    inspect(&mut containers, container.id).await?;
    execute(channel).await?;
    let kill = v1::KillRequest {
        container: NAME.into(),
        signal: "SIGTERM".into(),
        ..Default::default()
    };
    containers.kill(kill).await?;
    follow_output(logs).await?;
    wait(&mut containers).await?;
    watched(&mut events, v1::EventKind::ResourcesReleased).await?;
    errors_told(&mut containers, &mut other).await?;
    cleanup(&mut containers).await?;
    watched(&mut events, v1::EventKind::Removed).await?;
    drop(events); // the call is cancelled with its stream
    println!("watch: CANCELLED");
    Ok(())
}

async fn import_image(channel: Channel, archive: String) -> Outcome {
    use v1::import_request::Part;
    let bytes = tokio::fs::read(archive).await?;
    let options = Part::Options(v1::ImportOptions { name: NAME.into() });
    let chunks: Vec<_> = bytes.chunks(256 * 1024).map(|it| Part::Chunk(it.to_vec())).collect();
    let parts = std::iter::once(options).chain(chunks);
    let requests = parts.map(|part| v1::ImportRequest { part: Some(part) });
    let mut images = ImageServiceClient::new(channel);
    let imported = images.import(tokio_stream::iter(requests)).await?.into_inner();
    for image in imported.images {
        println!("import: {}", image.name);
    }
    Ok(())
}

async fn start(containers: &mut ContainerServiceClient<Channel>) -> Outcome<v1::Container> {
    // [first call]
    let spec = v1::ContainerSpec {
        name: "interop".into(),
        image: "interop".into(),
        command: ["sh", "-c", SCRIPT].map(String::from).into(),
        network: "none".into(),
        labels: [("made-by".into(), "interop".into())].into(),
        stop_timeout: Some(Duration::from_millis(2500).try_into()?),
        log_config: Some(v1::LogConfig { driver: v1::LogDriver::File.into(), ..Default::default() }),
        ..Default::default()
    };
    let request = v1::StartRequest {
        target: Some(v1::start_request::Target::Spec(spec)),
        request_id: uuid::Uuid::new_v4().to_string(), // a request that is sent again happens once
        ..Default::default()
    };
    let started = containers.start(within(30.0, request.clone())).await?.into_inner();
    let container = started.container.unwrap_or_default();
    // [first call]
    let status = container.status.clone().unwrap_or_default();
    println!("start: run {}, {}", status.run, status.state().as_str_name());
    let again = containers.start(request).await?.into_inner().container.unwrap_or_default();
    let same = told(again.id == container.id);
    println!("start: again, the same container {same}, run {}", again.status.unwrap_or_default().run);
    Ok(container)
}

async fn inspect(containers: &mut ContainerServiceClient<Channel>, id: String) -> Outcome {
    let request = v1::InspectRequest { container: id, ..Default::default() };
    let seen = containers.inspect(request).await?.into_inner().container.unwrap_or_default();
    let (spec, status) = (seen.spec.unwrap_or_default(), seen.status.unwrap_or_default());
    let (stop, state) = (spec.stop_timeout.unwrap_or_default(), status.state().as_str_name());
    println!("inspect: {}, {state}, generation {}, run {}", seen.name, seen.generation, status.run);
    let label = &spec.labels["made-by"];
    println!("inspect: label made-by={label}, command of {} words", spec.command.len());
    println!("inspect: stop_timeout {} s {} ns", stop.seconds, stop.nanos);
    println!("inspect: {}", spec.log_config.unwrap_or_default().driver().as_str_name());
    let instant = |it: Option<Timestamp>| it.map(|it| (it.seconds, it.nanos));
    let ordered = told(instant(seen.create_time) < instant(status.start_time));
    println!("inspect: created before it was started {ordered}");
    println!("inspect: has a pid {}, an exit {}", told(status.pid > 0), told(status.exit.is_some()));
    Ok(())
}

async fn execute(channel: Channel) -> Outcome {
    use v1::exec_request::Part as Ask;
    use v1::exec_response::Part;
    let mut execs = ExecServiceClient::new(channel);
    let request = v1::ExecSyncRequest {
        container: NAME.into(),
        spec: Some(shell("tr a-z A-Z; echo oops >&2; exit 3")),
        stdin: b"hello".into(),
        ..Default::default()
    };
    let answer = execs.exec_sync(request).await?.into_inner();
    let stderr = String::from_utf8(answer.stderr)?;
    println!("exec_sync: stdout {}, stderr {}", String::from_utf8(answer.stdout)?, stderr.trim());
    println!("exec_sync: {}", ended(&answer.exec.unwrap_or_default()));
    let start = v1::ExecStart {
        container: NAME.into(),
        spec: Some(shell("cat; exit 4")),
        stdin: true,
        ..Default::default()
    };
    // The end of the requests is the end of stdin.
    let parts = [Ask::Start(start), Ask::Stdin(b"ahoy\n".into())];
    let requests = parts.map(|part| v1::ExecRequest { part: Some(part) });
    let mut responses = execs.exec(tokio_stream::iter(requests)).await?.into_inner();
    while let Some(response) = responses.message().await? {
        match response.part {
            Some(Part::Started(exec)) => println!("exec: {}", exec.state().as_str_name()),
            Some(Part::Stdout(bytes)) => println!("exec: stdout {}", String::from_utf8(bytes)?.trim()),
            Some(Part::End(exec)) => println!("exec: {}", ended(&exec)),
            _ => {}
        }
    }
    Ok(())
}

async fn follow_output(mut logs: Streaming<v1::LogsResponse>) -> Outcome {
    let mut parts = Vec::new();
    while let Some(part) = logs.message().await? {
        parts.push(part);
    }
    parts.sort_by_key(|part| part.stream); // two streams have no common order
    for part in &parts {
        if let Some(line) = line_of(Some(part)) {
            println!("logs: {} {line}", part.stream().as_str_name());
        }
    }
    println!("logs: ended");
    Ok(())
}

async fn wait(containers: &mut ContainerServiceClient<Channel>) -> Outcome {
    let request = v1::WaitRequest {
        container: NAME.into(),
        condition: v1::WaitCondition::Exited.into(),
        timeout: Some(Duration::from_secs(30).try_into()?),
    };
    let waited = containers.wait(request).await?.into_inner();
    let status = waited.container.unwrap_or_default().status.unwrap_or_default();
    let exit = status.exit.unwrap_or_default();
    let (reached, origin) = (told(waited.reached), exit.origin().as_str_name());
    println!("wait: reached {reached}, exit {}, {origin}", exit.code);
    Ok(())
}

async fn errors_told(
    containers: &mut ContainerServiceClient<Channel>,
    busy: &mut ContainerServiceClient<Channel>,
) -> Outcome {
    let image = |image: &str| v1::ContainerSpec { image: image.into(), ..Default::default() };
    let minus = prost_types::Duration { seconds: -1, nanos: 0 };
    let wrong = v1::ContainerSpec { stop_timeout: Some(minus), ..image("busybox") };
    let right = v1::ContainerSpec { network: "none".into(), ..image("busybox") };
    for (busy_one, spec) in [(false, image("no/such")), (false, wrong), (true, right)] {
        let target = Some(v1::start_request::Target::Spec(spec));
        let request = v1::StartRequest { target, ..Default::default() };
        let to = if busy_one { &mut *busy } else { &mut *containers };
        if let Err(status) = to.start(request).await {
            tell(&status);
        }
    }
    let before = revision(containers).await?;
    let watch = v1::WatchRequest { filter: Some(only("nobody")), ..Default::default() };
    // tonic tells the server of the deadline; giving up in time is for the caller.
    let watching = async {
        let mut events = containers.watch(within(0.5, watch)).await?.into_inner();
        while events.message().await?.is_some() {}
        Ok::<_, Status>(())
    };
    let passed = watching.await.expect_err("the deadline passes");
    // Where no response has come by then, tonic's own clock is first, and calls it CANCELLED.
    let by_clock = passed.message() == "Timeout expired";
    let code = if by_clock { Code::DeadlineExceeded } else { passed.code() };
    let same = told(before == revision(containers).await?);
    println!("deadline: {}, changed nothing {same}", name_of(code));
    Ok(())
}

// [error]
fn tell(status: &Status) {
    let details = status.get_error_details();
    if let Some(info) = details.error_info() {
        let facts: BTreeMap<_, _> = info.metadata.iter().collect();
        let facts: String = facts.iter().map(|(key, value)| format!(" {key}={value}")).collect();
        println!("error: {} {}/{}{facts}", name_of(status.code()), info.domain, info.reason);
        println!("error: message {}", status.message());
    }
    for violation in details.bad_request().map_or(&[][..], |bad| &bad.field_violations) {
        println!("error: field {}: {}", violation.field, violation.description);
    }
    if let Some(delay) = details.retry_info().and_then(|retry| retry.retry_delay) {
        println!("error: retry after {} ms", delay.as_millis());
    }
}
// [error]

async fn cleanup(containers: &mut ContainerServiceClient<Channel>) -> Outcome {
    let request = v1::CleanupRequest { container: NAME.into(), remove: true, ..Default::default() };
    let cleaned = containers.cleanup(request).await?.into_inner();
    for row in &cleaned.resources {
        println!("cleanup: {} {}", row.kind, row.outcome().as_str_name());
    }
    println!("cleanup: complete {}", told(cleaned.complete));
    if let Err(gone) = revision(containers).await {
        tell(&gone);
    }
    Ok(())
}

async fn watched(events: &mut Streaming<v1::WatchResponse>, last: v1::EventKind) -> Outcome {
    while let Some(item) = events.message().await? {
        let Some(v1::watch_response::Item::Event(event)) = item.item else { continue };
        let (kind, state) = (event.kind().as_str_name(), event.state().as_str_name());
        println!("watch: {kind}, run {}, {state}", event.run);
        if event.kind() == last {
            break;
        }
    }
    Ok(())
}

async fn revision(containers: &mut ContainerServiceClient<Channel>) -> Result<u64, Status> {
    let request = v1::InspectRequest { container: NAME.into(), ..Default::default() };
    let answer = containers.inspect(request).await?.into_inner();
    Ok(answer.container.unwrap_or_default().revision)
}

fn within<T>(seconds: f64, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.set_timeout(Duration::from_secs_f64(seconds));
    request
}

fn only(name: &str) -> v1::ContainerFilter {
    v1::ContainerFilter { names: vec![name.into()], ..Default::default() }
}

fn shell(script: &str) -> v1::ExecSpec {
    v1::ExecSpec { args: ["sh", "-c", script].map(String::from).into(), ..Default::default() }
}

fn line_of(part: Option<&v1::LogsResponse>) -> Option<&str> {
    match part?.payload.as_ref()? {
        v1::logs_response::Payload::Line(line) => Some(line),
        _ => None,
    }
}

fn ended(exec: &v1::Exec) -> String {
    let code = exec.exit.clone().unwrap_or_default().code;
    format!("{}, exit {code}", exec.end_reason().as_str_name())
}

/// What gRPC calls the codes that come up here.
fn name_of(code: Code) -> &'static str {
    match code {
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::NotFound => "NOT_FOUND",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        _ => "UNEXPECTED",
    }
}

fn told(truth: bool) -> &'static str {
    if truth { "yes" } else { "no" }
}
