// What a page of an agent does, in the words of the tests: a phone for each of the two libraries. Each verb returns a promise.
import * as JsSIP from "jssip";
import { Inviter, Registerer, RegistererState, SessionState, UserAgent } from "sip.js";

const ice = { iceServers: [] }; // no address is asked of anybody

// heard waits until sound has arrived, and more of it than a moment ago.
async function heard(pc) {
  const speaker = new Audio();
  speaker.srcObject = new MediaStream(pc.getReceivers().map((r) => r.track));
  speaker.play();
  const look = async () => {
    let packets = 0, energy = 0;
    for (const s of (await pc.getStats()).values()) {
      if (s.type === "inbound-rtp" && s.kind === "audio") {
        packets += s.packetsReceived;
        energy += s.totalAudioEnergy || 0;
      }
    }
    return { packets, energy };
  };
  const first = await look();
  for (;;) {
    const now = await look();
    if (now.packets > first.packets + 20 && now.energy > first.energy) return "heard";
    await new Promise((r) => setTimeout(r, 100));
  }
}

const once = (start) => new Promise((resolve) => start(resolve));

class JsSIPPhone {
  constructor({ url, user, domain, password }) {
    this.domain = domain;
    this.ua = new JsSIP.UA({
      sockets: [new JsSIP.WebSocketInterface(url)], uri: `sip:${user}@${domain}`, password, register: false, session_timers: false,
      connection_recovery_min_interval: 3600, connection_recovery_max_interval: 7200,
    });
    this.called = once((resolve) => this.ua.on("newRTCSession", ({ session, originator }) => {
      this.session = session;
      this.over = once((r) => { session.on("ended", () => r("ended")); session.on("failed", (e) => r("failed: " + e.cause)); });
      if (originator === "remote") {
        session.on("confirmed", () => resolve("answered"));
        session.answer({ mediaConstraints: { audio: true, video: false }, pcConfig: ice });
      }
    }));
  }
  connect() {
    return once((resolve) => {
      this.ua.on("connected", () => resolve("connected"));
      this.ua.on("disconnected", () => resolve("refused"));
      this.ua.start();
    });
  }
  register() {
    return once((resolve) => {
      this.ua.on("registered", () => resolve("registered"));
      this.ua.on("registrationFailed", (e) => resolve("failed: " + e.cause));
      this.ua.register();
    });
  }
  unregister() {
    return once((resolve) => {
      this.ua.on("unregistered", () => resolve("unregistered"));
      this.ua.unregister();
    });
  }
  call(user) {
    return once((resolve) => this.ua.call(`sip:${user}@${this.domain}`, {
      mediaConstraints: { audio: true, video: false }, pcConfig: ice,
      eventHandlers: { confirmed: () => resolve("answered"), failed: (e) => resolve("failed: " + e.cause) },
    }));
  }
  hold() { return once((resolve) => this.session.hold({}, () => resolve("held")) || resolve("not ready")); }
  resume() { return once((resolve) => this.session.unhold({}, () => resolve("resumed")) || resolve("not ready")); }
  heard() { return heard(this.session.connection); }
  hangup() { this.session.terminate(); return this.over; }
  stop() { this.ua.stop(); return "stopped"; }
}

class SIPJSPhone {
  constructor({ url, user, domain, password }) {
    this.domain = domain;
    let called;
    this.called = once((resolve) => { called = resolve; });
    this.ua = new UserAgent({
      uri: UserAgent.makeURI(`sip:${user}@${domain}`), authorizationUsername: user, authorizationPassword: password, transportOptions: { server: url, keepAliveInterval: 1 },
      logLevel: "error", sessionDescriptionHandlerFactoryOptions: { iceGatheringTimeout: 500, peerConnectionConfiguration: ice },
      delegate: {
        onInvite: (invitation) => {
          this.follow(invitation);
          invitation.accept({ sessionDescriptionHandlerOptions: { constraints: { audio: true, video: false } } }).then(() => called("answered"), (e) => called("failed: " + e));
        },
      },
    });
    this.registerer = new Registerer(this.ua);
  }
  follow(session) {
    this.session = session;
    this.over = once((resolve) => session.stateChange.addListener((s) => s === SessionState.Terminated && resolve("ended")));
  }
  connect() { return this.ua.start().then(() => "connected", () => "refused"); }
  register() {
    return once((resolve) => {
      this.registerer.stateChange.addListener((s) => s === RegistererState.Registered && resolve("registered"));
      this.registerer.register({ requestDelegate: { onReject: (r) => resolve("failed: " + r.message.statusCode) } });
    });
  }
  unregister() {
    return once((resolve) => {
      this.registerer.stateChange.addListener((s) => s === RegistererState.Unregistered && resolve("unregistered"));
      this.registerer.unregister();
    });
  }
  call(user) {
    const inviter = new Inviter(this.ua, UserAgent.makeURI(`sip:${user}@${this.domain}`), { sessionDescriptionHandlerOptions: { constraints: { audio: true, video: false } } });
    this.follow(inviter);
    return once((resolve) => {
      inviter.stateChange.addListener((s) => s === SessionState.Established && resolve("answered"));
      inviter.invite({ requestDelegate: { onReject: (r) => resolve("failed: " + r.message.statusCode) } });
    });
  }
  heard() { return heard(this.session.sessionDescriptionHandler.peerConnection); }
  // told is the direction of the sound that the other side asked for last.
  async told() { return /a=(sendrecv|sendonly|recvonly|inactive)/.exec(this.session.sessionDescriptionHandler.peerConnection.remoteDescription.sdp)[1]; }
  hangup() { this.session.bye(); return this.over; }
  stop() { return this.ua.stop().then(() => "stopped"); }
}

window.phones = { jssip: JsSIPPhone, sipjs: SIPJSPhone };
