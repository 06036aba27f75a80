package s3store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/ringfence/ringfence/recording/filestore"
)

var (
	// ErrConfig is returned by Open for a Config with a required value missing or one out of range.
	ErrConfig = errors.New("recording/s3store: invalid configuration")
	// ErrLocked is returned by Remove for an object that the bucket keeps until a date.
	ErrLocked = errors.New("recording/s3store: object is locked")
	// ErrConflict is the reason of an upload that found another object under its name.
	ErrConflict = errors.New("recording/s3store: the bucket holds something else under this name")
)

// Limits and what zero means in a Config.
const (
	DefaultPartSize = 16 << 20
	MinPartSize     = 5 << 20 // what S3 allows
	DefaultUploads  = 2
	DefaultTimeout  = 30 * time.Second
)

// Service says which bucket, and how it is spoken to.
type Service struct {
	// Endpoint is the host of the service, with a port if it is not 443. It is spoken to over TLS. Required.
	Endpoint string
	// Bucket must exist. Required.
	Bucket string
	// Prefix goes before each object's name, such as "tenants/acme/". If empty, none.
	Prefix string
	// Region is the bucket's. If empty, the service is asked.
	Region string
	// Credentials returns an access key's ID, its secret and, for temporary ones, the session token. It is called when needed, by any goroutine. Required.
	Credentials func(ctx context.Context) (id, secret, token string, err error)
	// Roots are the authorities that the service's certificate may come from. If nil, those of the system.
	Roots *x509.CertPool
	// PartSize is from which length on an object is uploaded in parts, and how long a part is, in bytes; at least MinPartSize. If 0, DefaultPartSize.
	PartSize int64
	// Timeout bounds each request that is not an upload. If 0, DefaultTimeout.
	Timeout time.Duration
	// Lock keeps objects from being deleted or replaced, by anybody. If zero, they are not locked.
	Lock Lock
}

// Config describes a Store.
type Config struct {
	// Service is the bucket. Required.
	Service
	// Spool holds recordings until the bucket has them. It belongs to this Store alone. Required.
	Spool *filestore.Store
	// Uploads is how many objects are uploaded at once. If 0, DefaultUploads.
	Uploads int
	// Logger gets failed uploads, without the names of recordings. If nil, nobody does.
	Logger *slog.Logger
}

// Lock is S3's object lock, which the bucket must have been made with. It counts from the upload: choose it no longer than the shortest retention of what is
// stored, or a deletion in time leaves ciphertext without a key behind until the lock ends.
type Lock struct {
	// Compliance keeps even the account's owner from ending the lock early. If false, those with the bypass right may (S3's governance mode).
	Compliance bool
	// For is how long. If 0, objects are not locked.
	For time.Duration
}

func (s Service) withDefaults() Service {
	if s.PartSize == 0 {
		s.PartSize = DefaultPartSize
	}
	if s.Timeout == 0 {
		s.Timeout = DefaultTimeout
	}
	return s
}

func (c Config) withDefaults() Config {
	c.Service = c.Service.withDefaults()
	if c.Uploads == 0 {
		c.Uploads = DefaultUploads
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	return c
}

func (s Service) validate() error {
	switch {
	case s.Endpoint == "" || s.Bucket == "" || s.Credentials == nil:
		return fmt.Errorf("%w: Endpoint, Bucket and Credentials are required", ErrConfig)
	case strings.Contains(s.Endpoint, "/"):
		return fmt.Errorf("%w: Endpoint is a host, not a URL", ErrConfig)
	case strings.HasPrefix(s.Prefix, "/") || strings.Contains(s.Prefix, "//"):
		return fmt.Errorf("%w: Prefix begins with a slash or has an empty part", ErrConfig)
	case s.PartSize < MinPartSize:
		return fmt.Errorf("%w: PartSize under %d", ErrConfig, MinPartSize)
	case s.Timeout < 0 || s.Lock.For < 0:
		return fmt.Errorf("%w: negative value", ErrConfig)
	}
	return nil
}

func (c Config) validate() error {
	if c.Spool == nil {
		return fmt.Errorf("%w: Spool is required", ErrConfig)
	}
	if c.Uploads < 0 {
		return fmt.Errorf("%w: negative value", ErrConfig)
	}
	return c.Service.validate()
}

// provider hands the caller's credentials to the client, anew for each signature: nothing secret stays here.
type provider struct {
	ask func(ctx context.Context) (id, secret, token string, err error)
}

func (p provider) Retrieve() (credentials.Value, error) {
	return p.RetrieveWithCredContext(nil)
}

func (p provider) RetrieveWithCredContext(*credentials.CredContext) (credentials.Value, error) {
	id, secret, token, err := p.ask(context.Background())
	if err != nil {
		return credentials.Value{}, fmt.Errorf("recording/s3store: credentials: %w", err)
	}
	if id == "" || secret == "" { // the client would go on without a signature
		return credentials.Value{}, fmt.Errorf("%w: empty credentials", ErrConfig)
	}
	return credentials.Value{AccessKeyID: id, SecretAccessKey: secret, SessionToken: token, SignerType: credentials.SignatureV4}, nil
}

func (provider) IsExpired() bool { return true }

func (s Service) client() (*minio.Core, *http.Transport, error) {
	transport, err := minio.DefaultTransport(true)
	if err != nil {
		return nil, nil, fmt.Errorf("recording/s3store: %w", err)
	}
	transport.TLSClientConfig = &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: s.Roots}
	core, err := minio.NewCore(s.Endpoint, &minio.Options{Creds: credentials.New(provider{s.Credentials}), Secure: true, Transport: transport, Region: s.Region,
		TrailingHeaders: true, MaxRetries: 1}) // uploads have a rhythm of their own, and everything else somebody waits for
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrConfig, err)
	}
	return core, transport, nil
}

// check asks for what would otherwise fail with the first object.
func (s Service) check(ctx context.Context, core *minio.Core) error {
	ctx, cancel := context.WithTimeout(ctx, s.Timeout)
	defer cancel()
	there, err := core.BucketExists(ctx, s.Bucket)
	if err != nil {
		return fmt.Errorf("recording/s3store: %w", err)
	}
	if !there {
		return fmt.Errorf("%w: no such bucket", ErrConfig)
	}
	if s.Lock.For == 0 {
		return nil
	}
	if state, _, _, _, err := core.GetObjectLockConfig(ctx, s.Bucket); err != nil || state != "Enabled" {
		return fmt.Errorf("%w: the bucket cannot lock objects", ErrConfig)
	}
	return nil
}

// lock adds the object lock to an upload.
func (s Service) lock(opts *minio.PutObjectOptions, now time.Time) {
	if s.Lock.For == 0 {
		return
	}
	opts.Mode, opts.RetainUntilDate = minio.Governance, now.Add(s.Lock.For).UTC()
	if s.Lock.Compliance {
		opts.Mode = minio.Compliance
	}
}
