# The numbers of a small contact center: 9000 main, 9001 sales, 9002 echo, 9003 notice.

flow "main" {
  language = "en"
  start    = "welcome"

  menu "welcome" {
    prompt   = "welcome"
    timeout  = "5s"
    attempts = 3
    choice "1" { goto = "sales" }
    choice "2" { goto = "support" }
    choice "3" { goto = "account" }
    choice "0" { goto = "operator" }
    no_input { prompt = "no-input" }
    no_match { prompt = "no-match" }
    exhausted { goto = "bye" }
  }

  collect "account" {
    prompt     = "enter-account"
    digits     = 6
    terminator = "#"
    secret     = true
    into       = "account"
    next       = "thanks"
    no_input { prompt = "no-input" }
    no_match { prompt = "no-match" }
    exhausted { goto = "bye" }
  }

  play "thanks" {
    prompt = "thanks"
    next   = "bye"
  }

  enqueue "sales" {
    queue = "sales"
    on_full { goto = "busy" }
    otherwise { goto = "closed" }
  }

  enqueue "support" {
    queue = "support"
    on_full { goto = "busy" }
    otherwise { goto = "closed" }
  }

  enqueue "operator" {
    queue    = "sales"
    priority = 5
    on_full { goto = "busy" }
    otherwise { goto = "closed" }
  }

  hangup "busy" {
    prompt = "busy"
    reason = "busy"
  }

  hangup "closed" {
    prompt = "closed"
    reason = "unavailable"
  }

  hangup "bye" { prompt = "bye" }
}

flow "sales" {
  language = "en"
  start    = "sales"
  enqueue "sales" {
    queue = "sales"
    otherwise { goto = "closed" }
  }
  hangup "closed" {
    prompt = "closed"
    reason = "unavailable"
  }
}

flow "echo" {
  language = "en"
  start    = "echo"
  echo "echo" { next = "bye" }
  hangup "bye" {}
}

flow "notice" {
  language = "en"
  start    = "notice"
  play "notice" {
    prompt = "notice"
    next   = "bye"
  }
  hangup "bye" {}
}
