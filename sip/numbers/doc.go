// Package numbers is how telephone numbers come and go: through an [Order], and in no other way. An order is asked for by one person, approved by
// another, provisioned with the provider and activated; it ends the same way. What a number leads to is a text that means something to whoever
// routes calls. Providers who report progress prove themselves with API keys ([Keys]).
//
//	desk, err := numbers.New(numbers.Config{Store: store, Auditor: log, MayApprove: approvers})
//	order, err := desk.Request(ctx, "alice", "acme", "+4930123456", "flow:main")
//	order, err = desk.Do(ctx, order.ID, numbers.Approve, "bob", "")
//
// # Security
//
// Every step is written to the [Auditor] before it is stored; when that fails, the step does not happen. Nobody approves what they asked for, and
// nobody confirms the cancelation they asked for: one stolen account can neither buy numbers nor take them away. A number belongs to one live order
// at a time. API keys have 256 random bits and are stored as SHA-256 only, which is enough for what cannot be guessed. They carry scopes and a date. A
// key that is revoked anywhere fails everywhere within [KeysConfig.Cache]. Strangers leave nothing in memory.
//
// # Goroutines
//
// None.
//
// # Importing alone
//
// Standard library only.
package numbers
