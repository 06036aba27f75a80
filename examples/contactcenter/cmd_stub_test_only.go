package main

import "context"

type demoCmd struct{}

func (demoCmd) Run(a *app) error { return nil }

type retentionCmd struct{}

func (retentionCmd) Run(a *app) error { return nil }

type holdsCmd struct{}

func (holdsCmd) Run(a *app) error { return nil }

type controlsCmd struct{}

func (controlsCmd) Run(a *app) error { return nil }

func (ac *actor) notHeld(ctx context.Context, id string) error { return nil }
