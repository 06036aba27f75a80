# A site with a carrier of its own. The certificate is one for the domain of the phones, or they would not talk to it.
domain = "acme.example"
data   = "data"
users  = "users.json" # {"1001": "password"}, chmod 600

listen {
  address     = "0.0.0.0:5061"
  certificate = "acme.pem"
  key         = "acme.key"
}

upstream {
  address   = "sip.contactcenter.example:5061"
  instance  = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"
  inbox     = "https://contactcenter.example/branch/calls"
  inbox_key = "inbox.key"
}

trunk {
  country = "DE"
  code    = "49"
  numbers = { "1001" = "+4930123451", "1002" = "+4930123452" }

  carrier "local" {
    domain        = "sip.carrier.example"
    user          = "acme"
    password_file = "carrier.password"
  }
}

# While the contact center is gone, who dials the main queue gets the front desk.
fallback = { "9000" = "1001" }
