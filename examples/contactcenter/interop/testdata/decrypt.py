# One JSON object on standard input: suite, key (base64 of master key and salt), packets (hex of SRTP as captured).
# One on standard output: payloads (hex, in order, of the packets that authenticate), refused (how many do not).
import base64, json, sys
from pylibsrtp import Error, Policy, Session

profiles = {
    "AEAD_AES_256_GCM": Policy.SRTP_PROFILE_AEAD_AES_256_GCM,
    "AES_CM_128_HMAC_SHA1_80": Policy.SRTP_PROFILE_AES128_CM_SHA1_80,
}
job = json.load(sys.stdin)
session = Session(policy=Policy(key=base64.b64decode(job["key"]), ssrc_type=Policy.SSRC_ANY_INBOUND, srtp_profile=profiles[job["suite"]]))
payloads, refused = [], 0
for packet in job["packets"]:
    try:
        rtp = session.unprotect(bytes.fromhex(packet))
        payloads.append(rtp[12:].hex())
    except Error:
        refused += 1
json.dump({"payloads": payloads, "refused": refused}, sys.stdout)
