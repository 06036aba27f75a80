# 9001: the sales queue without a menu.
flow "sales" {
  language = "en"
  start    = "sales"

  enqueue "sales" {
    queue = "sales"
    on_full { goto = "full" }
    on_no_agents { goto = "nobody" }
    on_timeout { goto = "too-long" }
    otherwise { goto = "failed" }
  }

  hangup "full" {
    prompt = "queue-full"
    reason = "full"
  }
  hangup "nobody" {
    prompt = "no-agents"
    reason = "no-agents"
  }
  hangup "too-long" {
    prompt = "too-long"
    reason = "timeout"
  }
  hangup "failed" {
    prompt = "failed"
    reason = "failed"
  }
}
