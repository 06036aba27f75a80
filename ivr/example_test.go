package ivr_test

import (
	"context"
	"fmt"
	"testing/fstest"

	"github.com/ringfence/ringfence/ivr"
)

// phone is the least a Call can be; a real one plays sound.
type phone struct{ keys chan byte }

func (phone) Play(_ context.Context, prompt, lang string) error {
	fmt.Println("plays", prompt, "in", lang)
	return nil
}

func (p phone) ReadDigit(ctx context.Context) (byte, error) {
	select {
	case k := <-p.keys:
		return k, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func (phone) Hangup(_ context.Context, reason string) error {
	fmt.Println("hangs up:", reason)
	return nil
}

func (phone) Enqueue(_ context.Context, queue string, _ int) (string, error) {
	fmt.Println("waits in", queue)
	return ivr.QueueFull, nil
}

func Example() {
	flows := fstest.MapFS{"shop.ivr.hcl": {Data: []byte(`
flow "shop" {
  language = "en"
  start    = "sales"
  enqueue "sales" {
    queue = "sales"
    on_full { goto = "sorry" }
    otherwise { goto = "bye" }
  }
  play "sorry" {
    prompt = "all-busy"
    next   = "bye"
  }
  hangup "bye" {}
}`)}}
	program, err := ivr.Compile(flows, ivr.Env{Prompts: map[string][]string{"en": {"all-busy"}}, Queues: []string{"sales"}})
	if err != nil {
		fmt.Println(err)
		return
	}
	flow, err := program.Flow("shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	out, err := flow.Run(context.Background(), phone{})
	fmt.Println(out.Result, out.Path, err)
	// Output:
	// waits in sales
	// plays all-busy in en
	// hangs up: normal
	// hung-up [sales sorry bye] <nil>
}

func ExampleCompile_refused() {
	flows := fstest.MapFS{"shop.ivr.hcl": {Data: []byte(`
flow "shop" {
  language = "en"
  start    = "sales"
  enqueue "sales" { queue = "sails" }
  hangup "bye" {}
}`)}}
	_, err := ivr.Compile(flows, ivr.Env{Prompts: map[string][]string{"en": nil}, Queues: []string{"sales"}})
	fmt.Println(err)
	// Output:
	// shop.ivr.hcl:5:3: missing branch: enqueue "sales" has no otherwise branch: a caller whom the queue cannot serve would be stranded
	// shop.ivr.hcl:5:29: unknown queue: queue "sails" does not exist
}

func ExampleFlow_Mermaid() {
	flows := fstest.MapFS{"shop.ivr.hcl": {Data: []byte(`
flow "shop" {
  language = "en"
  start    = "top"
  menu "top" {
    prompt = "hello"
    choice "1" { goto = "bye" }
    no_input {}
    no_match {}
    exhausted { goto = "bye" }
  }
  hangup "bye" {}
}`)}}
	program, err := ivr.Compile(flows, ivr.Env{Prompts: map[string][]string{"en": {"hello"}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	flow, _ := program.Flow("shop")
	fmt.Print(flow.Mermaid())
	// Output:
	// flowchart TD
	//   start([shop]) --> n0
	//   n0{{"menu: top"}}
	//   n0 -->|"1"| n1
	//   n0 -->|"exhausted"| n1
	//   n1(["hangup: bye"])
}
