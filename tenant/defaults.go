package tenant

import "slices"

// MaxConcurrentHashes bounds the console passwords hashed at once in a Directory; further log-ins wait.
const MaxConcurrentHashes = 2

// Digest algorithms by their names in SIP (RFC 8760).
const (
	SHA256 = "SHA-256"
	MD5    = "MD5" // only for a tenant that names it, for phones that know nothing else
)

// defaultAlgorithms is what a Profile without algorithms means.
var defaultAlgorithms = []string{SHA256}

// MinSIPPasswordBytes is the shortest SIP password accepted, in bytes: phones store it, people do not type it.
const MinSIPPasswordBytes = 12

// Role is what a user is. Unknown roles grant nothing and cannot be stored.
type Role string

// The roles there are.
const (
	RoleAgent      Role = "agent"
	RoleSupervisor Role = "supervisor"
	RoleAdmin      Role = "admin"
	RoleAuditor    Role = "auditor"
)

// Valid reports whether r is one of the roles there are.
func (r Role) Valid() bool { _, ok := grants[r]; return ok }

// Actions, by the names the packages ask for.
const (
	ActionUsersRead   = "users.read"
	ActionUsersWrite  = "users.write"
	ActionTenantRead  = "tenant.read"
	ActionTenantWrite = "tenant.write"
)

// grants is the whole table of rights: role to actions. What is not here is denied.
var grants = map[Role][]string{
	RoleAgent: {
		"agent.login", "agent.logout", "agent.ready", "agent.notready", "agent.wrapup", "agent.read",
		"call.answer", "call.place", "call.transfer", "call.hold", "recording.pause", "recording.resume",
	},
	RoleSupervisor: {
		"agent.login", "agent.logout", "agent.ready", "agent.notready", "agent.wrapup", "agent.read", "agent.set",
		"call.answer", "call.place", "call.transfer", "call.hold", "call.read", "call.monitor", "call.whisper", "call.barge",
		"queue.read", "queue.set", "report.read",
		"recording.pause", "recording.resume", "recording.list", "recording.listen", "recording.verify",
		"retention.explain", ActionUsersRead,
	},
	// An administrator runs the tenant and does not listen to it: recordings are a supervisor's, unless one person holds both roles. Files of them, exported or
	// downloaded, are the administrator's, so that whoever listens all day has no way to take them along.
	RoleAdmin: {
		ActionUsersRead, ActionUsersWrite, ActionTenantRead, ActionTenantWrite,
		"agent.read", "agent.set", "queue.read", "queue.set", "queue.write", "flow.read", "flow.write", "trunk.read", "trunk.write",
		"call.read", "report.read",
		"recording.list", "recording.export", "recording.download", "recording.verify", "recording.rewrap", "recording.delete",
		"backup.run", "backup.restore",
		"retention.run", "retention.explain", "retention.receipts", "hold.place", "hold.release", "hold.list",
		"keys.list", "keys.rotate", "keys.destroy", "audit.verify",
	},
	RoleAuditor: {
		"audit.read", "audit.verify", "report.read", "call.read",
		"recording.list", "recording.verify",
		"retention.explain", "retention.receipts", "hold.list", "keys.list", ActionUsersRead, ActionTenantRead,
	},
}

// services is what the deployment's own jobs may do, by name. A service cannot log in; Tenant.Service makes its principal.
var services = map[string][]string{
	"backup":    {"backup.run"},
	"recorder":  {"recording.create", "recording.recover", "recording.pause", "recording.resume"},
	"retention": {"retention.run", "retention.explain", "recording.list", "recording.delete"},
	"router":    {"agent.read", "agent.set", "queue.read", "call.read", "call.place", ActionUsersRead},
}

// Grants returns the actions that a role grants, sorted; nil for an unknown role.
func Grants(r Role) []string {
	g := slices.Clone(grants[r])
	slices.Sort(g)
	return g
}
