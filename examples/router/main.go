// Command router uses one room alone: it routes five tasks to two people, with no telephone in sight.
package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/ringfence/ringfence/acd"
)

// desk stands for whatever presents work to people: here everybody takes everything at once.
type desk struct{ out io.Writer }

func (d desk) Offer(_ context.Context, agent, work string) (bool, error) {
	fmt.Fprintf(d.out, "%s takes %s\n", agent, work)
	return true, nil
}
func (desk) Allow(context.Context, string, string) error               { return nil }
func (desk) Audit(context.Context, string, string, ...slog.Attr) error { return nil }

func main() {
	if err := run(context.Background(), os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "router:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, out io.Writer) error {
	d := desk{out}
	center, err := acd.New(acd.Config{
		Store: &acd.MemStore{}, Offerer: d, Authorizer: d, Auditor: d, Agents: []acd.Agent{{ID: "ann"}, {ID: "bob"}},
		Queues: []acd.Queue{{Name: "returns", Members: []string{"ann", "bob"}, WrapUp: -1}},
	})
	if err != nil {
		return err
	}
	go center.Run(ctx) // ended and waited for by Close
	defer center.Close()
	for _, agent := range []string{"ann", "bob"} {
		if err := center.Login(ctx, agent); err != nil {
			return err
		}
		if err := center.Ready(ctx, agent); err != nil {
			return err
		}
	}
	for i := range 5 {
		work := fmt.Sprintf("return-%d", i+1)
		if err := center.Arrive(ctx, acd.Work{ID: work}); err != nil {
			return err
		}
		ticket, err := center.Enqueue(ctx, work, "returns", 0)
		if err != nil {
			return err
		}
		if _, err := ticket.Wait(ctx); err != nil {
			return err
		}
		if err := center.End(ctx, work, "done"); err != nil {
			return err
		}
	}
	return nil
}
