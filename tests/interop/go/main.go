// The main job in Go, by what protoc-gen-go and protoc-gen-go-grpc make of the protos.
//
//	interop ADDRESS ARCHIVE BUSY
package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"log"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/code"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"

	moorage "moorage.example/interop/gen/moorage/v1"
)

const (
	name   = "interop"
	script = "trap 'echo bye; echo warned >&2; exit 7' TERM; echo ready; sleep 1000 & wait"
)

type client struct {
	containers moorage.ContainerServiceClient
	execs      moorage.ExecServiceClient
	images     moorage.ImageServiceClient
}

func main() {
	if err := run(os.Args[1], os.Args[2], os.Args[3]); err != nil {
		log.Fatal(err)
	}
}

func run(address, archive, busy string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	c, err := dial(address)
	if err != nil {
		return err
	}
	other, err := dial(busy)
	if err != nil {
		return err
	}
	if err := c.importImage(ctx, archive); err != nil {
		return err
	}
	watching, unwatch := context.WithCancel(ctx)
	defer unwatch()
	events, err := c.containers.Watch(watching, &moorage.WatchRequest{Filter: only(name)})
	if err != nil {
		return err
	}
	if _, err := events.Recv(); err != nil { // a heartbeat: from here on nothing is missed
		return err
	}
	fmt.Println("watch: begun")
	if err := c.live(ctx); err != nil {
		return err
	}
	if err := watched(events, moorage.EventKind_EVENT_KIND_RESOURCES_RELEASED); err != nil {
		return err
	}
	if err := c.errorsTold(ctx, other); err != nil {
		return err
	}
	if err := c.cleanup(ctx); err != nil {
		return err
	}
	if err := watched(events, moorage.EventKind_EVENT_KIND_REMOVED); err != nil {
		return err
	}
	unwatch()
	_, err = events.Recv()
	fmt.Printf("watch: %s\n", codeOf(err))
	return nil
}

func dial(address string) (*client, error) {
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return nil, err
	}
	return &client{
		moorage.NewContainerServiceClient(connection),
		moorage.NewExecServiceClient(connection),
		moorage.NewImageServiceClient(connection),
	}, nil
}

// live is what the container does while it runs, and its end.
func (c *client) live(ctx context.Context) error {
	container, err := c.start(ctx)
	if err != nil {
		return err
	}
	logs, err := c.containers.Logs(ctx, &moorage.LogsRequest{
		Container: name, Follow: true, Format: moorage.LogFormat_LOG_FORMAT_LINES,
	})
	if err != nil {
		return err
	}
	first, err := logs.Recv()
	if err != nil {
		return err
	}
	fmt.Printf("logs: first %s\n", first.GetLine())
	for _, step := range []func() error{
		func() error { return c.inspect(ctx, container.GetId()) },
		func() error { return c.execSync(ctx) },
		func() error { return c.exec(ctx) },
		func() error {
			_, err := c.containers.Kill(ctx, &moorage.KillRequest{Container: name, Signal: "SIGTERM"})
			return err
		},
		func() error { return followed(logs) },
		func() error { return c.wait(ctx) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

func (c *client) importImage(ctx context.Context, archive string) error {
	file, err := os.Open(archive)
	if err != nil {
		return err
	}
	defer file.Close()
	stream, err := c.images.Import(ctx)
	if err != nil {
		return err
	}
	options := &moorage.ImportRequest_Options{Options: &moorage.ImportOptions{Name: name}}
	request := &moorage.ImportRequest{Part: options}
	chunk := make([]byte, 256*1024)
	for {
		if err := stream.Send(request); err != nil {
			break // the answer says why
		}
		n, err := file.Read(chunk)
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		request = &moorage.ImportRequest{Part: &moorage.ImportRequest_Chunk{Chunk: chunk[:n]}}
	}
	imported, err := stream.CloseAndRecv()
	for _, image := range imported.GetImages() {
		fmt.Printf("import: %s\n", image.GetName())
	}
	return err
}

func (c *client) start(ctx context.Context) (*moorage.Container, error) {
	// [first call]
	spec := &moorage.ContainerSpec{
		Name:        "interop",
		Image:       "interop",
		Command:     []string{"sh", "-c", script},
		Network:     "none",
		Labels:      map[string]string{"made-by": "interop"},
		StopTimeout: durationpb.New(2500 * time.Millisecond),
		LogConfig:   &moorage.LogConfig{Driver: moorage.LogDriver_LOG_DRIVER_FILE},
	}
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	request := &moorage.StartRequest{
		Target:    &moorage.StartRequest_Spec{Spec: spec},
		RequestId: rand.Text(), // a request that is sent again happens once
	}
	started, err := c.containers.Start(ctx, request)
	if err != nil {
		return nil, err
	}
	container := started.GetContainer()
	// [first call]
	fmt.Printf("start: run %d, %s\n", container.GetStatus().GetRun(), container.GetStatus().GetState())
	again, err := c.containers.Start(ctx, request)
	if err != nil {
		return nil, err
	}
	same := again.GetContainer().GetId() == container.GetId()
	run := again.GetContainer().GetStatus().GetRun()
	fmt.Printf("start: again, the same container %s, run %d\n", told(same), run)
	return container, nil
}

func (c *client) inspect(ctx context.Context, id string) error {
	answer, err := c.containers.Inspect(ctx, &moorage.InspectRequest{Container: id})
	if err != nil {
		return err
	}
	seen := answer.GetContainer()
	spec, status := seen.GetSpec(), seen.GetStatus()
	fmt.Printf("inspect: %s, %s, generation %d, run %d\n",
		seen.GetName(), status.GetState(), seen.GetGeneration(), status.GetRun())
	fmt.Printf("inspect: label made-by=%s, command of %d words\n",
		spec.GetLabels()["made-by"], len(spec.GetCommand()))
	stop := spec.GetStopTimeout()
	fmt.Printf("inspect: stop_timeout %d s %d ns\n", stop.GetSeconds(), stop.GetNanos())
	fmt.Printf("inspect: %s\n", spec.GetLogConfig().GetDriver())
	ordered := seen.GetCreateTime().AsTime().Before(status.GetStartTime().AsTime())
	fmt.Printf("inspect: created before it was started %s\n", told(ordered))
	fmt.Printf("inspect: has a pid %s, an exit %s\n",
		told(status.GetPid() > 0), told(status.GetExit() != nil))
	return nil
}

func (c *client) execSync(ctx context.Context) error {
	answer, err := c.execs.ExecSync(ctx, &moorage.ExecSyncRequest{
		Container: name,
		Spec:      &moorage.ExecSpec{Args: []string{"sh", "-c", "tr a-z A-Z; echo oops >&2; exit 3"}},
		Stdin:     []byte("hello"),
	})
	if err != nil {
		return err
	}
	fmt.Printf("exec_sync: stdout %s, stderr %s\n",
		answer.GetStdout(), strings.TrimSpace(string(answer.GetStderr())))
	fmt.Printf("exec_sync: %s\n", ended(answer.GetExec()))
	return nil
}

func (c *client) exec(ctx context.Context) error {
	stream, err := c.execs.Exec(ctx)
	if err != nil {
		return err
	}
	spec := &moorage.ExecSpec{Args: []string{"sh", "-c", "cat; exit 4"}}
	start := &moorage.ExecStart{Container: name, Spec: spec, Stdin: true}
	for _, request := range []*moorage.ExecRequest{
		{Part: &moorage.ExecRequest_Start{Start: start}},
		{Part: &moorage.ExecRequest_Stdin{Stdin: []byte("ahoy\n")}},
	} {
		if err := stream.Send(request); err != nil {
			break // the answer says why
		}
	}
	if err := stream.CloseSend(); err != nil { // the end of stdin
		return err
	}
	for {
		response, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		switch part := response.GetPart().(type) {
		case *moorage.ExecResponse_Started:
			fmt.Printf("exec: %s\n", part.Started.GetState())
		case *moorage.ExecResponse_Stdout:
			fmt.Printf("exec: stdout %s\n", strings.TrimSpace(string(part.Stdout)))
		case *moorage.ExecResponse_End:
			fmt.Printf("exec: %s\n", ended(part.End))
		}
	}
}

func followed(logs grpc.ServerStreamingClient[moorage.LogsResponse]) error {
	lines := map[moorage.LogStream][]string{} // two streams have no common order
	for {
		part, err := logs.Recv()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		if line, ok := part.GetPayload().(*moorage.LogsResponse_Line); ok {
			lines[part.GetStream()] = append(lines[part.GetStream()], line.Line)
		}
	}
	for _, stream := range slices.Sorted(maps.Keys(lines)) {
		for _, line := range lines[stream] {
			fmt.Printf("logs: %s %s\n", stream, line)
		}
	}
	fmt.Println("logs: ended")
	return nil
}

func (c *client) wait(ctx context.Context) error {
	waited, err := c.containers.Wait(ctx, &moorage.WaitRequest{
		Container: name,
		Condition: moorage.WaitCondition_WAIT_CONDITION_EXITED,
		Timeout:   durationpb.New(30 * time.Second),
	})
	exit := waited.GetContainer().GetStatus().GetExit()
	fmt.Printf("wait: reached %s, exit %d, %s\n",
		told(waited.GetReached()), exit.GetCode(), exit.GetOrigin())
	return err
}

func (c *client) errorsTold(ctx context.Context, busy *client) error {
	unknown := &moorage.ContainerSpec{Image: "no/such"}
	wrong := &moorage.ContainerSpec{Image: "busybox", StopTimeout: durationpb.New(-time.Second)}
	right := &moorage.ContainerSpec{Image: "busybox", Network: "none"}
	for _, try := range []struct {
		to   *client
		spec *moorage.ContainerSpec
	}{{c, unknown}, {c, wrong}, {busy, right}} {
		request := &moorage.StartRequest{Target: &moorage.StartRequest_Spec{Spec: try.spec}}
		_, err := try.to.containers.Start(ctx, request)
		tell(err)
	}
	before, err := c.containers.Inspect(ctx, &moorage.InspectRequest{Container: name})
	if err != nil {
		return err
	}
	short, cancel := context.WithTimeout(ctx, 500*time.Millisecond)
	defer cancel()
	events, err := c.containers.Watch(short, &moorage.WatchRequest{Filter: only("nobody")})
	for err == nil {
		_, err = events.Recv()
	}
	after, failed := c.containers.Inspect(ctx, &moorage.InspectRequest{Container: name})
	if failed != nil {
		return failed
	}
	same := before.GetContainer().GetRevision() == after.GetContainer().GetRevision()
	fmt.Printf("deadline: %s, changed nothing %s\n", codeOf(err), told(same))
	return nil
}

// [error]
func tell(err error) {
	said := status.Convert(err)
	for _, detail := range said.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			fmt.Printf("error: %s %s/%s", codeOf(err), detail.GetDomain(), detail.GetReason())
			for _, key := range slices.Sorted(maps.Keys(detail.GetMetadata())) {
				fmt.Printf(" %s=%s", key, detail.GetMetadata()[key])
			}
			fmt.Printf("\nerror: message %s\n", said.Message())
		case *errdetails.BadRequest:
			for _, violation := range detail.GetFieldViolations() {
				fmt.Printf("error: field %s: %s\n", violation.GetField(), violation.GetDescription())
			}
		case *errdetails.RetryInfo:
			fmt.Printf("error: retry after %d ms\n", detail.GetRetryDelay().AsDuration().Milliseconds())
		}
	}
}

// [error]

func (c *client) cleanup(ctx context.Context) error {
	cleaned, err := c.containers.Cleanup(ctx, &moorage.CleanupRequest{Container: name, Remove: true})
	if err != nil {
		return err
	}
	for _, row := range cleaned.GetResources() {
		fmt.Printf("cleanup: %s %s\n", row.GetKind(), row.GetOutcome())
	}
	fmt.Printf("cleanup: complete %s\n", told(cleaned.GetComplete()))
	_, err = c.containers.Inspect(ctx, &moorage.InspectRequest{Container: name})
	if status.Code(err) == codes.NotFound {
		tell(err)
	}
	return nil
}

func watched(events grpc.ServerStreamingClient[moorage.WatchResponse], last moorage.EventKind) error {
	for {
		item, err := events.Recv()
		if err != nil {
			return err
		}
		event := item.GetEvent()
		if event == nil {
			continue
		}
		fmt.Printf("watch: %s, run %d, %s\n", event.GetKind(), event.GetRun(), event.GetState())
		if event.GetKind() == last {
			return nil
		}
	}
}

func only(name string) *moorage.ContainerFilter {
	return &moorage.ContainerFilter{Names: []string{name}}
}

func ended(command *moorage.Exec) string {
	return fmt.Sprintf("%s, exit %d", command.GetEndReason(), command.GetExit().GetCode())
}

// codeOf names a code as gRPC does, and not as Go.
func codeOf(err error) string {
	return code.Code(status.Code(err)).String()
}

func told(truth bool) string {
	if truth {
		return "yes"
	}
	return "no"
}
