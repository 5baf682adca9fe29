// The main job in C++, by what grpc_cpp_plugin makes of the protos.
//
//     interop ADDRESS ARCHIVE BUSY
#include <google/protobuf/util/time_util.h>
#include <google/rpc/code.pb.h>
#include <google/rpc/error_details.pb.h>
#include <google/rpc/status.pb.h>
#include <grpcpp/grpcpp.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "moorage/v1/container_service.grpc.pb.h"
#include "moorage/v1/exec_service.grpc.pb.h"
#include "moorage/v1/image_service.grpc.pb.h"

namespace v1 = moorage::v1;
using google::protobuf::util::TimeUtil;
using std::chrono::milliseconds;

namespace {

constexpr char kName[] = "interop";
constexpr char kScript[] =
    "trap 'echo bye; echo warned >&2; exit 7' TERM; echo ready; sleep 1000 & wait";
constexpr std::size_t kChunk = 256 * 1024;

template <typename... Parts>
void Say(const Parts&... parts) {
  (std::cout << ... << parts) << "\n";
}

std::string Told(bool truth) { return truth ? "yes" : "no"; }

std::string Stripped(std::string text) {
  text.erase(text.find_last_not_of('\n') + 1);
  return text;
}

std::string CodeOf(const grpc::Status& status) {
  return google::rpc::Code_Name(static_cast<google::rpc::Code>(status.error_code()));
}

void Expect(const grpc::Status& status) {
  if (!status.ok()) throw std::runtime_error(CodeOf(status) + ": " + status.error_message());
}

std::string RequestId() {
  std::random_device random;
  std::ostringstream id;
  for (int i = 0; i < 4; ++i) id << std::hex << random();
  return id.str();
}

v1::ExecSpec Shell(const std::string& script) {
  v1::ExecSpec spec;
  for (const auto& word : {std::string("sh"), std::string("-c"), script}) spec.add_args(word);
  return spec;
}

std::string Ended(const v1::Exec& exec) {
  return v1::ExecEndReason_Name(exec.end_reason()) + ", exit " + std::to_string(exec.exit().code());
}

// [error]
void Tell(const grpc::Status& error) {
  google::rpc::Status status;
  status.ParseFromString(error.error_details());
  for (const auto& detail : status.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest bad;
    google::rpc::RetryInfo retry;
    if (detail.UnpackTo(&info)) {
      std::string facts;
      for (const auto& [key, value] :
           std::map<std::string, std::string>(info.metadata().begin(), info.metadata().end())) {
        facts += " " + key + "=" + value;
      }
      Say("error: ", CodeOf(error), " ", info.domain(), "/", info.reason(), facts);
      Say("error: message ", error.error_message());
    } else if (detail.UnpackTo(&bad)) {
      for (const auto& violation : bad.field_violations()) {
        Say("error: field ", violation.field(), ": ", violation.description());
      }
    } else if (detail.UnpackTo(&retry)) {
      auto delay = TimeUtil::DurationToMilliseconds(retry.retry_delay());
      Say("error: retry after ", delay, " ms");
    }
  }
}
// [error]

class Interop {
 public:
  Interop(const std::string& address, const std::string& busy) {
    auto channel = grpc::CreateChannel(address, grpc::InsecureChannelCredentials());
    containers_ = v1::ContainerService::NewStub(channel);
    execs_ = v1::ExecService::NewStub(channel);
    images_ = v1::ImageService::NewStub(channel);
    busy_ = v1::ContainerService::NewStub(
        grpc::CreateChannel(busy, grpc::InsecureChannelCredentials()));
  }

  void Run(const std::string& archive) {
    ImportImage(archive);
    grpc::ClientContext watching;
    v1::WatchRequest watch;
    watch.mutable_filter()->add_names(kName);
    auto events = containers_->Watch(&watching, watch);
    v1::WatchResponse heartbeat;
    events->Read(&heartbeat);  // from here on nothing is missed
    Say("watch: begun");
    v1::Container container = Start();
    grpc::ClientContext following;
    v1::LogsRequest follow;
    follow.set_container(kName);
    follow.set_follow(true);
    follow.set_format(v1::LOG_FORMAT_LINES);
    auto logs = containers_->Logs(&following, follow);
    v1::LogsResponse first;
    logs->Read(&first);
    Say("logs: first ", first.line());
    Inspect(container.id());
    ExecSync();
    Exec();
    Kill();
    FollowOutput(*logs);
    Wait();
    Watched(*events, v1::EVENT_KIND_RESOURCES_RELEASED);
    ErrorsTold();
    Cleanup();
    Watched(*events, v1::EVENT_KIND_REMOVED);
    watching.TryCancel();
    v1::WatchResponse none;
    while (events->Read(&none)) continue;
    Say("watch: ", CodeOf(events->Finish()));
  }

 private:
  void ImportImage(const std::string& archive) {
    grpc::ClientContext context;
    v1::ImportResponse imported;
    auto parts = images_->Import(&context, &imported);
    v1::ImportRequest options;
    options.mutable_options()->set_name(kName);
    parts->Write(options);
    std::ifstream file(archive, std::ios::binary);
    std::vector<char> bytes(kChunk);
    while (file.read(bytes.data(), bytes.size()), file.gcount() > 0) {
      v1::ImportRequest chunk;
      chunk.set_chunk(bytes.data(), file.gcount());
      if (!parts->Write(chunk)) break;  // Finish says why
    }
    parts->WritesDone();
    Expect(parts->Finish());
    for (const auto& image : imported.images()) Say("import: ", image.name());
  }

  v1::Container Start() {
    // [first call]
    v1::StartRequest request;
    request.set_request_id(RequestId());  // a request that is sent again happens once
    v1::ContainerSpec* spec = request.mutable_spec();
    spec->set_name("interop");
    spec->set_image("interop");
    for (const auto* word : {"sh", "-c", kScript}) spec->add_command(word);
    spec->set_network("none");
    (*spec->mutable_labels())["made-by"] = "interop";
    *spec->mutable_stop_timeout() = TimeUtil::MillisecondsToDuration(2500);
    spec->mutable_log_config()->set_driver(v1::LOG_DRIVER_FILE);

    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    v1::StartResponse started;
    grpc::Status status = containers_->Start(&context, request, &started);
    if (!status.ok()) throw std::runtime_error(status.error_message());
    const v1::Container& container = started.container();
    // [first call]
    Say("start: run ", container.status().run(), ", ",
        v1::ContainerState_Name(container.status().state()));
    grpc::ClientContext second;
    v1::StartResponse again;
    Expect(containers_->Start(&second, request, &again));
    Say("start: again, the same container ", Told(again.container().id() == container.id()),
        ", run ", again.container().status().run());
    return container;
  }

  void Inspect(const std::string& id) {
    v1::InspectResponse answer;
    Expect(Inspected(id, &answer));
    const v1::Container& seen = answer.container();
    const auto& spec = seen.spec();
    const auto& status = seen.status();
    Say("inspect: ", seen.name(), ", ", v1::ContainerState_Name(status.state()), ", generation ",
        seen.generation(), ", run ", status.run());
    Say("inspect: label made-by=", spec.labels().at("made-by"), ", command of ",
        spec.command_size(), " words");
    Say("inspect: stop_timeout ", spec.stop_timeout().seconds(), " s ",
        spec.stop_timeout().nanos(), " ns");
    Say("inspect: ", v1::LogDriver_Name(spec.log_config().driver()));
    Say("inspect: created before it was started ",
        Told(seen.create_time() < status.start_time()));
    Say("inspect: has a pid ", Told(status.pid() > 0), ", an exit ", Told(status.has_exit()));
  }

  void ExecSync() {
    grpc::ClientContext context;
    v1::ExecSyncRequest request;
    v1::ExecSyncResponse answer;
    request.set_container(kName);
    *request.mutable_spec() = Shell("tr a-z A-Z; echo oops >&2; exit 3");
    request.set_stdin("hello");
    Expect(execs_->ExecSync(&context, request, &answer));
    Say("exec_sync: stdout ", answer.stdout(), ", stderr ", Stripped(answer.stderr()));
    Say("exec_sync: ", Ended(answer.exec()));
  }

  void Exec() {
    grpc::ClientContext context;
    auto stream = execs_->Exec(&context);
    v1::ExecRequest start, input;
    start.mutable_start()->set_container(kName);
    *start.mutable_start()->mutable_spec() = Shell("cat; exit 4");
    start.mutable_start()->set_stdin(true);
    input.set_stdin("ahoy\n");
    stream->Write(start);
    stream->Write(input);
    stream->WritesDone();  // the end of stdin
    for (v1::ExecResponse response; stream->Read(&response);) {
      if (response.has_started()) {
        Say("exec: ", v1::ExecState_Name(response.started().state()));
      } else if (response.has_stdout()) {
        Say("exec: stdout ", Stripped(response.stdout()));
      } else if (response.has_end()) {
        Say("exec: ", Ended(response.end()));
      }
    }
    Expect(stream->Finish());
  }

  void Kill() {
    grpc::ClientContext context;
    v1::KillRequest request;
    v1::KillResponse answer;
    request.set_container(kName);
    request.set_signal("SIGTERM");
    Expect(containers_->Kill(&context, request, &answer));
  }

  static void FollowOutput(grpc::ClientReader<v1::LogsResponse>& logs) {
    std::map<v1::LogStream, std::vector<std::string>> lines;  // they have no common order
    for (v1::LogsResponse part; logs.Read(&part);) {
      if (part.has_line()) lines[part.stream()].push_back(part.line());
    }
    Expect(logs.Finish());
    for (const auto& [stream, written] : lines) {
      for (const auto& line : written) Say("logs: ", v1::LogStream_Name(stream), " ", line);
    }
    Say("logs: ended");
  }

  void Wait() {
    grpc::ClientContext context;
    v1::WaitRequest request;
    v1::WaitResponse waited;
    request.set_container(kName);
    request.set_condition(v1::WAIT_CONDITION_EXITED);
    *request.mutable_timeout() = TimeUtil::SecondsToDuration(30);
    Expect(containers_->Wait(&context, request, &waited));
    const v1::Exit& exit = waited.container().status().exit();
    Say("wait: reached ", Told(waited.reached()), ", exit ", exit.code(), ", ",
        v1::ExitOrigin_Name(exit.origin()));
  }

  void ErrorsTold() {
    v1::ContainerSpec unknown, wrong, right;
    unknown.set_image("no/such");
    wrong.set_image("busybox");
    *wrong.mutable_stop_timeout() = TimeUtil::SecondsToDuration(-1);
    right.set_image("busybox");
    right.set_network("none");
    Refused(*containers_, unknown);
    Refused(*containers_, wrong);
    Refused(*busy_, right);
    v1::InspectResponse before, after;
    Expect(Inspected(kName, &before));
    grpc::ClientContext soon;
    soon.set_deadline(std::chrono::system_clock::now() + milliseconds(500));
    v1::WatchRequest watch;
    watch.mutable_filter()->add_names("nobody");
    auto events = containers_->Watch(&soon, watch);
    v1::WatchResponse item;
    while (events->Read(&item)) continue;
    grpc::Status passed = events->Finish();
    Expect(Inspected(kName, &after));
    Say("deadline: ", CodeOf(passed), ", changed nothing ",
        Told(before.container().revision() == after.container().revision()));
  }

  static void Refused(v1::ContainerService::Stub& to, const v1::ContainerSpec& spec) {
    grpc::ClientContext context;
    v1::StartRequest request;
    v1::StartResponse none;
    *request.mutable_spec() = spec;
    Tell(to.Start(&context, request, &none));
  }

  void Cleanup() {
    grpc::ClientContext context;
    v1::CleanupRequest request;
    v1::CleanupResponse cleaned;
    request.set_container(kName);
    request.set_remove(true);
    Expect(containers_->Cleanup(&context, request, &cleaned));
    for (const auto& row : cleaned.resources()) {
      Say("cleanup: ", row.kind(), " ", v1::ReleaseOutcome_Name(row.outcome()));
    }
    Say("cleanup: complete ", Told(cleaned.complete()));
    v1::InspectResponse none;
    Tell(Inspected(kName, &none));
  }

  static void Watched(grpc::ClientReader<v1::WatchResponse>& events, v1::EventKind last) {
    for (v1::WatchResponse item; events.Read(&item);) {
      if (!item.has_event()) continue;
      const v1::Event& event = item.event();
      Say("watch: ", v1::EventKind_Name(event.kind()), ", run ", event.run(), ", ",
          v1::ContainerState_Name(event.state()));
      if (event.kind() == last) return;
    }
  }

  grpc::Status Inspected(const std::string& container, v1::InspectResponse* answer) {
    grpc::ClientContext context;
    v1::InspectRequest request;
    request.set_container(container);
    return containers_->Inspect(&context, request, answer);
  }

  std::unique_ptr<v1::ContainerService::Stub> containers_, busy_;
  std::unique_ptr<v1::ExecService::Stub> execs_;
  std::unique_ptr<v1::ImageService::Stub> images_;
};

}  // namespace

int main(int, char** argv) {
  Interop(argv[1], argv[3]).Run(argv[2]);
  return 0;
}
