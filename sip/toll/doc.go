// Package toll is a guard against toll fraud: it says of each call to the public network whether it may be placed and how long it may last, and it stops
// users and tenants that behave like a stolen account.
//
//	guard, err := toll.New(toll.Config{Home: "49", Prices: prices, Hours: office, Policy: policies})
//	d := guard.Decide(now, toll.Call{ID: id, Tenant: "acme", User: "1001", Number: "+442079460000"})
//
// A call takes this way: [Guard.Decide], [Guard.Started] when it is placed, [Guard.Answered], [Guard.Extend] before [Decision.MaxDuration] is over,
// [Guard.Ended] in every case. The caller of this package hangs up when MaxDuration has passed since the answer.
//
// # Classes and prices
//
// A number belongs to the class of its longest prefix in a [Table]. The one that comes with this package is a start and no tariff: it knows the country
// codes, satellites, premium and shared-cost ranges of some countries, and destinations that are known for revenue share fraud. [Table.With] puts
// an operator's own lines over it. Each class has a price for each started minute; a class without one is refused, because nobody can say what it costs.
//
// # Caps
//
// Money is counted in millionths ([Micro]), in hours (UTC), days and months (in the zone of [Config.Hours]), for the user and for the tenant. Minutes are reserved
// before they are spoken: what was spent plus what is reserved never exceeds a cap, so neither one long call nor many at once can overrun it. A reservation counts
// in every hour, day and month that the call touches, and the cost where it ends. So in no hour of the clock is more spent than the cap of
// that hour. A cap that is lowered while calls run holds for new minutes.
//
// # Security
//
// The attacker has the password of a phone or the session of an agent, and is paid for minutes to numbers that he chose, at night and at weekends. [Limits] that
// are zero allow nothing; outside opening hours [Policy].Night holds; many short calls to places nobody called before stop the user ([Anomaly]). A clock that
// is set back gives no cap back: periods only go forward. A restart gives none back either, if the last [Guard.Snapshot] was kept.
// The identity in a [Call] must be one that was authenticated, and its number the one that will be dialed, in E.164 form with +: this package believes
// both. Emergency numbers pass always, in every state, and cost nothing; they are compared whole, so that no prefix makes an expensive number one of them.
// Memory: an account for each user and tenant that was allowed a call in this month or is stopped; callers without a policy get none.
// Events name the prefix of a number and never the number.
//
// # Goroutines
//
// None, and no clock: time comes in with each call. All methods are safe for concurrent use.
//
// # Importing alone
//
// Standard library only.
package toll
