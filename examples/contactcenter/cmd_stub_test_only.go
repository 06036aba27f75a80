package main

type demoCmd struct{}

func (demoCmd) Run(a *app) error { return nil }

type controlsCmd struct{}

func (controlsCmd) Run(a *app) error { return nil }
