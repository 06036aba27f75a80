# 9004: leave a message for everybody; with star and a PIN, hear one's own. Dialing *9 and a mailbox leads here too, for that mailbox.
flow "voicemail" {
  language = "en"
  start    = "message"

  voicemail "message" {
    box  = "9004"
    next = "bye"
    otherwise { goto = "failed" }
  }

  hangup "bye" {}
  hangup "failed" {
    prompt = "failed"
    reason = "failed"
  }
}
