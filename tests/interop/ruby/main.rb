# frozen_string_literal: true

# The main job in Ruby, by what grpc_tools_ruby_protoc makes of the protos.
#
#     ruby -I GENERATED main.rb ADDRESS ARCHIVE BUSY

require "google/protobuf/well_known_types" # Any#unpack
require "google/rpc/code_pb"
require "google/rpc/error_details_pb"
require "google/rpc/status_pb"
require "securerandom"
require "moorage/v1/container_service_services_pb"
require "moorage/v1/exec_service_services_pb"
require "moorage/v1/image_service_services_pb"

include Moorage::V1

NAME = "interop"
SCRIPT = "trap 'echo bye; echo warned >&2; exit 7' TERM; echo ready; sleep 1000 & wait"
CHUNK = 256 * 1024

class Interop
  def initialize(address, busy)
    @containers = ContainerService::Stub.new(address, :this_channel_is_insecure)
    @execs = ExecService::Stub.new(address, :this_channel_is_insecure)
    @images = ImageService::Stub.new(address, :this_channel_is_insecure)
    @busy = ContainerService::Stub.new(busy, :this_channel_is_insecure)
  end

  def run(archive)
    import_image(archive)
    # With return_op the call can be cancelled; its responses come as an Enumerator.
    watch = @containers.watch(WatchRequest.new(filter: only(NAME)), return_op: true)
    events = watch.execute
    events.next # a heartbeat: from here on nothing is missed
    puts "watch: begun"
    container = start
    follow = LogsRequest.new(container: NAME, follow: true, format: :LOG_FORMAT_LINES)
    logs = @containers.logs(follow)
    puts "logs: first #{logs.next.line}"
    inspect_it(container.id)
    exec_sync
    exec
    @containers.kill(KillRequest.new(container: NAME, signal: "SIGTERM"))
    follow_output(logs)
    wait
    watched(events, :EVENT_KIND_RESOURCES_RELEASED)
    errors_told
    cleanup
    watched(events, :EVENT_KIND_REMOVED)
    watch.cancel
    begin
      events.next
    rescue GRPC::BadStatus => e
      puts "watch: #{code_of(e)}"
    end
  end

  private

  def import_image(archive)
    requests = Enumerator.new do |parts|
      parts << ImportRequest.new(options: ImportOptions.new(name: NAME))
      File.open(archive, "rb") do |file|
        while (chunk = file.read(CHUNK))
          parts << ImportRequest.new(chunk: chunk)
        end
      end
    end
    @images.import(requests).images.each { |image| puts "import: #{image.name}" }
  end

  def start
    # [first call]
    spec = ContainerSpec.new(
      name: "interop",
      image: "interop",
      command: ["sh", "-c", SCRIPT],
      network: "none",
      labels: { "made-by" => "interop" },
      stop_timeout: Google::Protobuf::Duration.new(seconds: 2, nanos: 500_000_000),
      log_config: LogConfig.new(driver: :LOG_DRIVER_FILE)
    )
    # A request that is sent again happens once.
    request = StartRequest.new(spec: spec, request_id: SecureRandom.uuid)
    container = @containers.start(request, deadline: Time.now + 30).container
    # [first call]
    puts "start: run #{container.status.run}, #{container.status.state}"
    again = @containers.start(request).container
    same = told(again.id == container.id)
    puts "start: again, the same container #{same}, run #{again.status.run}"
    container
  end

  def inspect_it(id)
    seen = inspected(id)
    spec = seen.spec
    status = seen.status
    puts "inspect: #{seen.name}, #{status.state}, generation #{seen.generation}, run #{status.run}"
    puts "inspect: label made-by=#{spec.labels['made-by']}, command of #{spec.command.size} words"
    puts "inspect: stop_timeout #{spec.stop_timeout.seconds} s #{spec.stop_timeout.nanos} ns"
    puts "inspect: #{spec.log_config.driver}"
    ordered = nanoseconds(seen.create_time) < nanoseconds(status.start_time)
    puts "inspect: created before it was started #{told(ordered)}"
    puts "inspect: has a pid #{told(status.pid.positive?)}, an exit #{told(status.has_exit?)}"
  end

  def exec_sync
    spec = ExecSpec.new(args: ["sh", "-c", "tr a-z A-Z; echo oops >&2; exit 3"])
    request = ExecSyncRequest.new(container: NAME, spec: spec, stdin: "hello")
    answer = @execs.exec_sync(request)
    puts "exec_sync: stdout #{answer.stdout}, stderr #{answer.stderr.strip}"
    puts "exec_sync: #{ended(answer.exec)}"
  end

  def exec
    spec = ExecSpec.new(args: ["sh", "-c", "cat; exit 4"])
    # The end of the requests is the end of stdin.
    requests = [
      ExecRequest.new(start: ExecStart.new(container: NAME, spec: spec, stdin: true)),
      ExecRequest.new(stdin: "ahoy\n")
    ]
    @execs.exec(requests).each do |response|
      case response.part
      when :started then puts "exec: #{response.started.state}"
      when :stdout then puts "exec: stdout #{response.stdout.strip}"
      when :end then puts "exec: #{ended(response.end)}"
      end
    end
  end

  def follow_output(logs)
    parts = []
    loop { parts << logs.next } # ends with the stream
    lines = parts.select { |part| part.payload == :line }.group_by(&:stream)
    %i[LOG_STREAM_STDOUT LOG_STREAM_STDERR].each do |stream| # they have no common order
      lines.fetch(stream, []).each { |part| puts "logs: #{stream} #{part.line}" }
    end
    puts "logs: ended"
  end

  def wait
    request = WaitRequest.new(
      container: NAME,
      condition: :WAIT_CONDITION_EXITED,
      timeout: Google::Protobuf::Duration.new(seconds: 30)
    )
    waited = @containers.wait(request)
    exit = waited.container.status.exit
    puts "wait: reached #{told(waited.reached)}, exit #{exit.code}, #{exit.origin}"
  end

  def errors_told
    minus = Google::Protobuf::Duration.new(seconds: -1)
    refused(@containers, ContainerSpec.new(image: "no/such"))
    refused(@containers, ContainerSpec.new(image: "busybox", stop_timeout: minus))
    refused(@busy, ContainerSpec.new(image: "busybox", network: "none"))
    before = inspected(NAME).revision
    begin
      request = WatchRequest.new(filter: only("nobody"))
      @containers.watch(request, deadline: Time.now + 0.5).each { |_| nil }
    rescue GRPC::DeadlineExceeded => e
      same = told(before == inspected(NAME).revision)
      puts "deadline: #{code_of(e)}, changed nothing #{same}"
    end
  end

  def refused(stub, spec)
    stub.start(StartRequest.new(spec: spec))
  rescue GRPC::BadStatus => e
    tell(e)
  end

  # [error]
  def tell(error)
    error.to_rpc_status.details.each do |detail|
      case detail.type_url.split("/").last
      when "google.rpc.ErrorInfo"
        info = detail.unpack(Google::Rpc::ErrorInfo)
        facts = info.metadata.to_h.sort.map { |key, value| " #{key}=#{value}" }.join
        puts "error: #{code_of(error)} #{info.domain}/#{info.reason}#{facts}"
        puts "error: message #{error.details}"
      when "google.rpc.BadRequest"
        detail.unpack(Google::Rpc::BadRequest).field_violations.each do |violation|
          puts "error: field #{violation.field}: #{violation.description}"
        end
      when "google.rpc.RetryInfo"
        delay = detail.unpack(Google::Rpc::RetryInfo).retry_delay
        puts "error: retry after #{nanoseconds(delay) / 1_000_000} ms"
      end
    end
  end
  # [error]

  def cleanup
    cleaned = @containers.cleanup(CleanupRequest.new(container: NAME, remove: true))
    cleaned.resources.each { |row| puts "cleanup: #{row.kind} #{row.outcome}" }
    puts "cleanup: complete #{told(cleaned.complete)}"
    inspected(NAME)
  rescue GRPC::NotFound => e
    tell(e)
  end

  def watched(events, last)
    loop do
      item = events.next
      next unless item.item == :event

      event = item.event
      puts "watch: #{event.kind}, run #{event.run}, #{event.state}"
      break if event.kind == last
    end
  end

  def inspected(container)
    @containers.inspect(InspectRequest.new(container: container)).container
  end

  def only(name)
    ContainerFilter.new(names: [name])
  end

  def ended(command)
    "#{command.end_reason}, exit #{command.exit.code}"
  end

  def nanoseconds(time)
    (time.seconds * 1_000_000_000) + time.nanos
  end

  def code_of(error)
    Google::Rpc::Code.lookup(error.code)
  end

  def told(truth)
    truth ? "yes" : "no"
  end
end

Interop.new(ARGV[0], ARGV[2]).run(ARGV[1])
