# The configuration the program starts with when it is given none. Copy it to begin your own: contactcenter --config my.hcl serve
# Paths are relative to the folder the program runs in. Every listener here is encrypted and on loopback.

data = "./contactcenter-data"

listen {
  sip_tls    = "127.0.0.1:5061"
  management = "127.0.0.1:8444"
  # SIP over WebSocket, for browsers. Only pages of this machine may connect: a page from elsewhere would phone in the name of who reads it.
  wss     = "127.0.0.1:7443"
  origins = ["https://localhost:*", "http://localhost:*", "https://127.0.0.1:*", "http://127.0.0.1:*", "https://acme.localhost:*", "https://globex.localhost:*"]
  # Everybody on this machine shares one address: one broken script must not get every phone here banned. Failed passwords still lock out.
  allow = ["127.0.0.0/8", "::1/128"]
}

media {
  address = "127.0.0.1"
}

tenant "acme" {
  domain  = "acme.localhost"
  aliases = ["acme", "acme.test"]
  # SHA-256 alone is the default. The demo asks for MD5 alone so that any phone can try it: many know nothing else, and some of them give up
  # when a challenge with SHA-256 stands beside the one they know (baresip before 3.12) or in front of it (sipp 3.6). It travels inside TLS,
  # and the passwords made here are too long to guess. Where all phones know RFC 8760, leave this line out.
  digest = ["MD5"]

  # Made when the tenant is: each gets a password that is printed once.
  first_start {
    agents = ["1001", "1002", "1003", "1004", "1005", "1006", "1007", "1008"]
    phones = ["1009", "1010"]
  }

  queue "sales" {
    ring     = "15s"
    wrap_up  = "5s"
    max_wait = "10m"

    # All free agents' phones ring at once, and the first to answer has the call. Without this line the one who was idle longest is rung.
    #
    # strategy = "ring-all"
    #
    # A waiting caller presses the key, hangs up, keeps the place and is called back when an agent is free. Calls outside need carriers, toll and outbound.
    #
    # callback {
    #   key          = "5"
    #   attempts     = 3
    #   retry        = "15m"
    #   expires      = "8h"
    #   dial_timeout = "45s"
    #   hours        = "Mo-Fr 08:00-20:00, Sa 09:00-13:00"
    #   zone         = "Europe/Berlin"
    # }
  }
  queue "support" {
    ring     = "20s"
    wrap_up  = "5s"
    max_wait = "10m"
  }

  number "9000" { flow = "main" }
  number "9001" { flow = "sales" }
  number "9002" { flow = "echo" }
  number "9003" { flow = "reference" }
  number "9004" { flow = "voicemail" }

  # Users have mailboxes of their own numbers; 9004 is everybody's.
  voicemail {
    boxes = ["9004"]
  }

  # Whose consent a recording needs is decided by where the calls are: here one of those who talk must know, and agents do. Without this block
  # nothing is recorded. An agent pauses the recording with *0 before a card number is said, and goes on with *0; a caller ends and purges it with *9.
  recording {
    place         = "US-NY"
    pause_keys    = "*0"
    withdraw_keys = "*9"

    # A second place, on another disk or machine, that has every recording within moments; a recording is complete when both have it. The folder must exist.
    #
    # replica {
    #   dir = "/mnt/other-machine/replica"
    # }
    #
    # A sealed copy that is brought up to date as often as every says; without that line once a day. recipient is the public key that `contactcenter backup keygen`
    # prints, or a file with it. The private key belongs on neither machine.
    #
    # backup {
    #   dir       = "/mnt/third-machine/backup"
    #   recipient = "backup.recipient"
    #   every     = "24h"
    # }
  }

  retention {
    recordings = "13 months"
    voicemail  = "30 days"
  }
}

tenant "globex" {
  domain  = "globex.localhost"
  aliases = ["globex", "globex.test"]
  digest  = ["MD5"]

  first_start {
    agents = ["1001", "1002", "1003", "1004", "1005", "1006", "1007", "1008"]
    phones = ["1009", "1010"]
  }

  queue "sales" {
    ring     = "15s"
    wrap_up  = "5s"
    max_wait = "10m"
  }
  queue "support" {
    ring     = "20s"
    wrap_up  = "5s"
    max_wait = "10m"
  }

  number "9000" { flow = "main" }
  number "9001" { flow = "sales" }
  number "9002" { flow = "echo" }
  number "9003" { flow = "reference" }
  number "9004" { flow = "voicemail" }

  # Users have mailboxes of their own numbers; 9004 is everybody's.
  voicemail {
    boxes = ["9004"]
  }

  recording {
    place         = "US-NY"
    pause_keys    = "*0"
    withdraw_keys = "*9"
  }

  retention {
    recordings = "13 months"
    voicemail  = "30 days"
  }
}

# A plaintext SIP listener for a lab exists only under a waiver with a name and a date, like this one. SDES keys, and with them every call
# with audio, stay refused on it.
#
# waiver "udp-lab" {
#   listen = "127.0.0.1:5060"
#   until  = "2027-01-31"
#   phones = ["acme/1009"]   # without this line: everybody with a password
# }
