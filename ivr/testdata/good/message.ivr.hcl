# A message, and then goodbye.
flow "message" {
  language = "en"
  start    = "message"

  voicemail "message" {
    box  = "9004"
    next = "bye"
    on_full { goto = "busy" }
    otherwise { goto = "closed" }
  }

  hangup "bye" { prompt = "bye" }
  hangup "busy" {
    prompt = "busy"
    reason = "full"
  }
  hangup "closed" {
    prompt = "closed"
    reason = "failed"
  }
}
