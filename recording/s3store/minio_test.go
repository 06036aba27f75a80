package s3store_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/stretchr/testify/require"

	"github.com/ringfence/ringfence/internal/leaktest"
	"github.com/ringfence/ringfence/recording/filestore"
	"github.com/ringfence/ringfence/recording/s3store"
)

func TestMain(m *testing.M) { leaktest.Main(m) }

const (
	user     = "ringfence-test"
	password = "only-for-tests-1"
	bucket   = "recordings"
)

// service is a MinIO server of the test's own, with a certificate of its own.
type service struct {
	t        *testing.T
	program  string
	dir      string
	endpoint string
	roots    *x509.CertPool
	cmd      *exec.Cmd
	admin    *minio.Client
}

// program finds the server that .ci/peers installs.
func program(t *testing.T) string {
	t.Helper()
	if p, err := exec.LookPath("minio"); err == nil {
		return p
	}
	if cache, err := os.UserCacheDir(); err == nil {
		p := filepath.Join(cache, "ringfence", "bin", "minio")
		if _, err := os.Stat(p); err == nil {
			return p
		}
	}
	if os.Getenv("RINGFENCE_PEERS") == "required" {
		t.Fatal("minio is not installed; see .ci/peers")
	}
	t.Skip("minio is not installed; see .ci/peers")
	return ""
}

func newService(t *testing.T) *service {
	t.Helper()
	s := &service{t: t, program: program(t), dir: t.TempDir(), roots: x509.NewCertPool()}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "store.test"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	require.NoError(t, err)
	cert, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	s.roots.AddCert(cert)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	certs := filepath.Join(s.dir, "certs")
	require.NoError(t, os.MkdirAll(certs, 0o700))
	require.NoError(t, os.WriteFile(filepath.Join(certs, "public.crt"), pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600))
	require.NoError(t, os.WriteFile(filepath.Join(certs, "private.key"), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8}), 0o600))

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	s.endpoint = l.Addr().String()
	require.NoError(t, l.Close()) // free a moment ago
	transport, err := minio.DefaultTransport(true)
	require.NoError(t, err)
	transport.TLSClientConfig.RootCAs = s.roots
	t.Cleanup(transport.CloseIdleConnections)
	s.admin, err = minio.New(s.endpoint, &minio.Options{Creds: credentials.NewStaticV4(user, password, ""), Secure: true, Transport: transport})
	require.NoError(t, err)
	s.start()
	t.Cleanup(s.stop)
	require.NoError(t, s.admin.MakeBucket(context.Background(), bucket, minio.MakeBucketOptions{ObjectLocking: true})) // with versions, too
	return s
}

func (s *service) start() {
	s.t.Helper()
	s.cmd = exec.Command(s.program, "server", "--quiet", "--address", s.endpoint, "--console-address", "127.0.0.1:0", "--certs-dir", filepath.Join(s.dir, "certs"), filepath.Join(s.dir, "data"))
	s.cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+user, "MINIO_ROOT_PASSWORD="+password, "MINIO_BROWSER=off", "MINIO_UPDATE=off", "HOME="+s.dir)
	var said strings.Builder
	s.cmd.Stdout, s.cmd.Stderr = &said, &said
	require.NoError(s.t, s.cmd.Start())
	require.Eventually(s.t, func() bool {
		_, err := s.admin.ListBuckets(context.Background())
		return err == nil
	}, 30*time.Second, 50*time.Millisecond, "minio does not answer")
}

func (s *service) stop() {
	if s.cmd == nil {
		return
	}
	_ = s.cmd.Process.Kill() // Wait says how it ended
	_ = s.cmd.Wait()
	s.cmd = nil
}

// config is a Store's, with a spool under dir.
func (s *service) config(dir, prefix string) s3store.Config {
	spool, err := filestore.Open(dir)
	require.NoError(s.t, err)
	return s3store.Config{Service: s.service(prefix), Spool: spool}
}

func (s *service) service(prefix string) s3store.Service {
	return s3store.Service{Endpoint: s.endpoint, Bucket: bucket, Prefix: prefix, Roots: s.roots, PartSize: s3store.MinPartSize,
		Credentials: func(context.Context) (string, string, string, error) { return user, password, "", nil }}
}

func (s *service) open(cfg s3store.Config) *s3store.Store {
	s.t.Helper()
	store, err := s3store.Open(context.Background(), cfg)
	require.NoError(s.t, err)
	s.t.Cleanup(store.Close)
	return store
}

// objects lists what the bucket has, versions and delete markers included.
func (s *service) objects(prefix string) (names []string) {
	s.t.Helper()
	for o := range s.admin.ListObjectsIter(context.Background(), bucket, minio.ListObjectsOptions{Prefix: prefix, Recursive: true, WithVersions: true}) {
		require.NoError(s.t, o.Err)
		names = append(names, fmt.Sprintf("%s %d", o.Key, o.Size))
	}
	return names
}

func files(t *testing.T, spool *filestore.Store) (n int) {
	t.Helper()
	for _, err := range spool.List(context.Background()) {
		require.NoError(t, err)
		n++
	}
	return n
}

func within(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// TestNoPlaintextConnection shows that a service without TLS is not spoken to.
func TestNoPlaintextConnection(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	heard := false
	srv := &http.Server{Handler: http.HandlerFunc(func(http.ResponseWriter, *http.Request) { heard = true })}
	done := make(chan struct{})
	go func() { // ends with Close, waited for below
		defer close(done)
		_ = srv.Serve(l)
	}()
	spool, err := filestore.Open(t.TempDir())
	require.NoError(t, err)
	_, err = s3store.Open(within(t, 10*time.Second), s3store.Config{Spool: spool, Service: s3store.Service{Endpoint: l.Addr().String(), Bucket: bucket,
		Region: "us-east-1", Credentials: func(context.Context) (string, string, string, error) { return user, password, "", nil }}})
	require.Error(t, err)
	require.NoError(t, srv.Close())
	<-done
	require.False(t, heard)
}
