package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/orderfleet/orderfleet/deploy/fleetctl"
	"github.com/orderfleet/orderfleet/deploy/replay"
	"github.com/orderfleet/orderfleet/producer"
	"github.com/orderfleet/orderfleet/shared/cli"
	"github.com/orderfleet/orderfleet/shared/order"
	"github.com/spf13/cobra"
)

// tempo is the flags that say how fast intents are driven again.
type tempo struct {
	lifetime time.Duration
	rate     float64
}

// add gives a command the flags; when stands before what each is for.
func (t *tempo) add(cmd *cobra.Command, when string) {
	cmd.Flags().DurationVar(&t.lifetime, "lifetime", time.Minute, when+"how long each new intent may take")
	cmd.Flags().Float64Var(&t.rate, "rate", 10, when+"intents a second at most")
}

// check says which of them makes no sense.
func (t *tempo) check() error {
	switch {
	case t.lifetime <= 0:
		return cli.Usagef("--lifetime: %s is not positive", t.lifetime)
	case !(t.rate > 0):
		return cli.Usagef("--rate: %v is not positive", t.rate)
	}
	return nil
}

// driveAgain lets so many intents be driven again, and prints what becomes of each and of all.
func (c *common) driveAgain(cmd *cobra.Command, of int, drive func(p *producer.Producer, report func(fleetctl.Result) error) error) error {
	_, nc, err := c.connect(cmd.Context())
	if err != nil {
		return err
	}
	defer nc.Close()
	p, err := producer.New(cmd.Context(), nc)
	if err != nil {
		return err
	}
	ends := make(map[order.Status]int)
	err = drive(p, func(r fleetctl.Result) error {
		ends[r.Outcome.Status]++
		if c.output == cli.JSON {
			return json.NewEncoder(cmd.OutOrStdout()).Encode(r)
		}
		_, err := fmt.Fprintln(cmd.OutOrStdout(), r)
		return err
	})
	return errors.Join(c.sum(cmd, of, ends), err)
}

// sum says what became of those that were driven again.
func (c *common) sum(cmd *cobra.Command, of int, ends map[order.Status]int) error {
	if c.output == cli.JSON {
		return json.NewEncoder(cmd.OutOrStdout()).Encode(totals{struct {
			Unsettled int                  `json:"unsettled"`
			Statuses  map[order.Status]int `json:"statuses"`
		}{of, ends}})
	}
	driven := 0
	for _, n := range ends {
		driven += n
	}
	_, err := fmt.Fprintf(cmd.OutOrStdout(), "%d of %d came to an end: %s\n", driven, of, cmp.Or(replay.Ends(ends), "none"))
	return err
}
