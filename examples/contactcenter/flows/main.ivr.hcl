# What callers of 9000 hear.
flow "main" {
  language = "en"
  start    = "welcome"

  menu "welcome" {
    prompt   = "welcome"
    timeout  = "5s"
    attempts = 3

    choice "1" { goto = "sales" }
    choice "2" { goto = "support" }
    choice "3" { goto = "customer-number" }
    choice "0" { goto = "operator" }

    no_input { prompt = "silence" }
    no_match { prompt = "invalid" }
    exhausted { goto = "bye" }
  }

  # The number stays secret: it is in no log, no record and no recording.
  collect "customer-number" {
    prompt     = "enter-number"
    digits     = 6
    terminator = "#"
    secret     = true
    into       = "customer"
    next       = "thanks"

    no_input { prompt = "silence" }
    no_match { prompt = "invalid" }
    exhausted { goto = "bye" }
  }

  hangup "thanks" { prompt = "thanks" }

  enqueue "sales" {
    queue = "sales"
    on_full { goto = "full" }
    on_no_agents { goto = "message" }
    on_timeout { goto = "message" }
    otherwise { goto = "failed" }
  }

  enqueue "support" {
    queue = "support"
    on_full { goto = "full" }
    on_no_agents { goto = "message" }
    on_timeout { goto = "message" }
    otherwise { goto = "failed" }
  }

  enqueue "operator" {
    queue    = "support"
    priority = 10
    on_full { goto = "full" }
    on_no_agents { goto = "message" }
    on_timeout { goto = "message" }
    otherwise { goto = "failed" }
  }

  # Nobody there, or too long a wait: a message. A tenant without voicemail says that nobody is there.
  voicemail "message" {
    box  = "9004"
    next = "left"
    otherwise { goto = "nobody" }
  }

  hangup "left" { reason = "voicemail" }
  hangup "bye" { prompt = "goodbye" }
  hangup "full" {
    prompt = "queue-full"
    reason = "full"
  }
  hangup "nobody" {
    prompt = "no-agents"
    reason = "no-agents"
  }
  hangup "failed" {
    prompt = "failed"
    reason = "failed"
  }
}
