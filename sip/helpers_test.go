package sip_test

import "github.com/ringfence/ringfence/sip/registrar"

func sipRegistrar() *registrar.Registrar { return registrar.New(registrar.Config{}) }
