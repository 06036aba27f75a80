package voicemail

import "time"

// Dialog is what a caller hears and which key does what: a state machine that is told what happened and answers what to do next, one thing at a time. It knows
// no phone, no disk and no clock, and holds typed digits until they are used. A Dialog belongs to one goroutine.
//
// Whoever calls goes through it in a bounded number of steps; after a hang-up it asks for nothing but that what is open be settled, and ends.
type Dialog struct {
	cfg      DialogConfig
	on       func(*Dialog, Input) Command // takes the result of the last command
	deadline time.Time
	inputs   int
	over     bool // it settles what is open and ends
	result   Result
	quiet    int // times in a row that nobody pressed a key

	taking  Purpose // what an open take is for
	session bool

	typed  []byte // digits of a number or a PIN
	asked  int    // log-ins so far
	box    string // whose session it is, or is to be
	chosen bool   // the caller typed it
	first  PIN    // of a new PIN, typed once

	now      time.Time
	list     []Listed
	at       int // in list
	envelope int // items of the last Say that belong to the message's envelope
	counts   Counts
	to       string // forward to
}

// DialogConfig says where a Dialog begins.
type DialogConfig struct {
	// Box is where a message is left. If empty, the dialog begins with logging in.
	Box string
	// Own is the box of the caller, proved by whoever admitted the call: it is offered without asking for its number. Its PIN is asked for all the same.
	// If empty, the number is asked for.
	Own string
	// Login lets star lead to logging in. If false, a caller can leave a message and nothing else; without Box it counts as true.
	Login bool
	// Longest is the longest the call may take. If zero, one hour.
	Longest time.Duration
}

// Purpose says what a recording is for.
type Purpose int

// The purposes. The zero Purpose is none.
const (
	ForNothing  Purpose = iota
	ForMessage          // left in DialogConfig.Box
	ForGreeting         // of the session's box
	ForIntro            // in front of a message that is forwarded to Command.Box
)

// Listed is a message as a dialog sees one.
type Listed struct {
	ID      string
	Saved   bool
	Deleted bool
}

// CommandKind says what a Command asks for.
type CommandKind int

// The kinds. The zero kind is none.
const (
	NoCommand CommandKind = iota
	Say                   // play Items until a key of Stop, then wait for one; answered with Pressed, Silent, HungUp or Failed
	Record                // record for Purpose; answered with Pressed, Silent, TooLong, HungUp, Full or Failed
	Do                    // carry out Action; answered with Done, or Refused, Full, TooShort, Failed
	End                   // the dialog is over; Result says how
)

// Action is what Do carries out.
type Action int

// The actions. The zero Action is none.
const (
	NoAction    Action = iota
	CheckRoom          // is there room in Box?
	LogIn              // to Box with PIN; Done brings Messages
	Load               // read Message, so that Say can play it; Done brings At and Caller
	Keep               // the take of Purpose: put it where it belongs; TooShort if it is not worth it
	Drop               // the take: leave nothing of it
	SaveMessage        // Message
	DeleteMessage
	UndeleteMessage
	ForwardMessage // Message to Box, with the take for ForIntro in front if there is one
	CheckBox       // does Box exist, and is it another one than the session's?
	SetPIN         // PIN
	UseStandardGreeting
	Finish // the session
)

// Command is what a Dialog wants done.
type Command struct {
	Kind    CommandKind
	Items   []Spoken      // Say
	Stop    string        // Say: keys that stop it and are answered with; other keys are dropped. If empty, it cannot be stopped, and keys wait
	Wait    time.Duration // Say: how long to wait for a key after the last item. If zero, not at all
	Secret  bool          // Say: mask the phone from before the first item, until a command that is not secret
	Purpose Purpose       // Record, Keep, Drop
	Action  Action        // Do
	Box     string        // CheckRoom, LogIn, CheckBox, ForwardMessage, Record
	PIN     PIN           // LogIn, SetPIN
	Message string        // ID
	Result  Result        // End
}

// Spoken is one thing to play. Exactly one field is set.
type Spoken struct {
	Prompt   string
	Greeting string // of a box: its own, or else the prompt "vm-greeting"
	Message  string // the message that was loaded
	Take     bool   // the greeting just recorded
}

// InputKind says what happened.
type InputKind int

// The kinds. The zero kind is none.
const (
	NoInput  InputKind = iota
	Pressed            // a key, while Item was playing; Item is len(Items) afterwards
	Silent             // Say: it was played and no key came within Wait; Record: nobody spoke any more
	TooLong            // Record: the longest was reached
	HungUp             // the caller is gone
	Done               // the action was carried out
	Refused            // the action was not allowed, or made no sense
	Full               // no room
	TooShort           // Keep: nothing was kept
	Failed             // something broke
)

// Input is the result of a Command.
type Input struct {
	Kind     InputKind
	Now      time.Time // in the time zone of the session's box once there is one
	Key      byte
	Item     int
	Messages []Listed  // LogIn
	At       time.Time // Load: when the message came, in the time zone of the box
	Caller   string    // Load: digits of who left it, or empty
}

// Result says how a dialog ended.
type Result string

// The results.
const (
	ResultLeft      Result = "left"      // a message is in the box
	ResultNothing   Result = "nothing"   // the caller left nothing
	ResultRetrieved Result = "retrieved" // an owner was at their box
	ResultFull      Result = "full"      // the box takes no message
	ResultFailed    Result = "failed"    // something broke; the caller was told
)

// The limits of a dialog.
const (
	keyWait     = 5 * time.Second // for a key after a question
	betweenWait = 3 * time.Second // between two digits
	maxQuiet    = 3               // questions without an answer before the dialog ends
	maxAsked    = 3               // log-ins in one call
	maxInputs   = 5000            // steps of one call
	maxTyped    = 16
)

// NewDialog returns a Dialog.
func NewDialog(cfg DialogConfig) *Dialog {
	if cfg.Longest <= 0 {
		cfg.Longest = time.Hour
	}
	return &Dialog{cfg: cfg, result: ResultNothing}
}

// Start begins and returns the first command.
func (d *Dialog) Start(now time.Time) Command {
	d.deadline, d.now = now.Add(d.cfg.Longest), now
	if d.cfg.Box == "" {
		return d.login()
	}
	return d.do((*Dialog).room, Command{Action: CheckRoom, Box: d.cfg.Box})
}

// Next takes the result of the last command and returns the next one. After End it returns End.
func (d *Dialog) Next(in Input) Command {
	d.inputs++
	d.now = in.Now
	if !d.over && (in.Kind == HungUp || d.inputs >= maxInputs || in.Now.After(d.deadline)) {
		d.over = true
		return d.wrap()
	}
	if d.on == nil {
		return Command{Kind: End, Result: d.result}
	}
	return d.on(d, in)
}

// wrap settles what is open and ends: a message that is being left is kept, whatever happened to the caller.
func (d *Dialog) wrap() Command {
	clear(d.typed[:cap(d.typed)])
	d.typed, d.first = nil, PIN{}
	switch {
	case d.taking == ForMessage:
		d.taking = ForNothing
		return d.do((*Dialog).wrapped, Command{Action: Keep, Purpose: ForMessage})
	case d.taking != ForNothing:
		p := d.taking
		d.taking = ForNothing
		return d.do((*Dialog).settled, Command{Action: Drop, Purpose: p})
	case d.session:
		d.session = false
		return d.do((*Dialog).settled, Command{Action: Finish})
	}
	d.on = nil
	return Command{Kind: End, Result: d.result}
}

func (d *Dialog) wrapped(in Input) Command {
	if in.Kind == Done {
		d.result = ResultLeft
	}
	return d.settled(in)
}

func (d *Dialog) settled(in Input) Command {
	if in.Kind == Failed {
		d.result = ResultFailed
	}
	return d.wrap()
}

// bye plays a farewell and ends.
func (d *Dialog) bye(prompts ...string) Command {
	d.over = true
	return d.say((*Dialog).settledBye, Command{Items: spoken(prompts...)})
}

func (d *Dialog) settledBye(Input) Command { return d.wrap() }

// fail says that something broke and ends.
func (d *Dialog) fail() Command {
	d.result = ResultFailed
	return d.bye("vm-failed", "vm-goodbye")
}

func (d *Dialog) say(next func(*Dialog, Input) Command, c Command) Command {
	c.Kind, d.on = Say, next
	return c
}

func (d *Dialog) do(next func(*Dialog, Input) Command, c Command) Command {
	c.Kind, d.on = Do, next
	return c
}

// hushed counts questions without an answer; true is one too many.
func (d *Dialog) hushed(in Input) bool {
	if in.Kind == Pressed {
		d.quiet = 0
		return false
	}
	d.quiet++
	return d.quiet >= maxQuiet
}

func spoken(prompts ...string) []Spoken {
	out := make([]Spoken, len(prompts))
	for i, p := range prompts {
		out[i].Prompt = p
	}
	return out
}

// number says the digits of a number.
func number(s string) []Spoken {
	var out []Spoken
	for _, c := range []byte(s) {
		if c >= '0' && c <= '9' {
			out = append(out, Spoken{Prompt: "digit-" + string(c)})
		}
	}
	return out
}
