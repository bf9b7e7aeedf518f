# s3_health_check over TLS: as the location speaks it, with the certificate verified
# for each origin.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Temp qw(tempdir);
use IO::Socket::INET;
use S3Test ':running';
use Test::Nginx::Socket;

my $dir = tempdir(CLEANUP => 1);
plan(skip_all => 'nginx without TLS') if S3Test::lacks('http_ssl_module');
S3Test::certificates($dir) or plan(skip_all => 'no openssl command to make certificates with');
plan('no_plan');

our ($tls_a, $tls_b) = map {"127.0.0.1:$_"} @ENV{qw(TEST_NGINX_TLS_A TEST_NGINX_TLS_B)};
our ($at_a, $spare) = ($ENV{TEST_NGINX_A}, $ENV{TEST_NGINX_SPARE});

# In front of the mock origins: TLS, for who asks for the right name.
my $front = join '', map { my ($name, $address) = @$_; <<"END" } ['a', $tls_a], ['b', $tls_b];
    server {
        listen $address ssl;
        ssl_certificate $dir/$name.crt;
        ssl_certificate_key $dir/$name.key;
        location / {
            if (\$ssl_server_name != $name.example.com) { return 421; }
            proxy_pass http://$ENV{"TEST_NGINX_\U$name"};
            proxy_set_header Host \$http_host;
        }
    }
END

sub http {
    my ($check, $server_a) = ($_[0] // 'fall=1', $_[1] // $tls_a);
    return $front . <<"END";
    upstream u {
        zone u 64k;
        server $server_a;
        server $tls_b;
        s3_origin $server_a $ENV{TEST_NGINX_CRED_A} host=a.example.com;
        s3_origin $tls_b $ENV{TEST_NGINX_CRED_B} host=b.example.com:8443;
        s3_health_check interval=100ms $check;
    }
END
}

sub on { "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass https://u; @_ }" }
our $verify = "proxy_ssl_verify on; proxy_ssl_trusted_certificate $dir/ca.crt;";
$ENV{TEST_NGINX_VERIFY} = $verify;
our $distrust = "proxy_ssl_verify on; proxy_ssl_trusted_certificate $dir/a.crt;";

sub await {
    my ($pattern, $times) = @_;
    wait_until(sub { logged($pattern) >= ($times // 1) }, $pattern);
}

# Takes connections, as the kernel does, and says nothing.
our $silent = IO::Socket::INET->new(LocalAddr => "127.0.0.1:$spare", Listen => 64, ReuseAddr => 1)
    or die "cannot listen: $!";

prepare();
add_test_cleanup_handler(sub { mood("$_=none") for qw(A B) });
run_tests();

__DATA__

=== TEST 1: verified, each by its own name
--- http_config eval: http('fall=1 uri=/t1/x')
--- config eval: on($verify)
--- init
await('is up', 2);
like(join("\n", received('/t1')), qr/^(?=.*^A 200 verified)(?=.*^B 200 verified)(?!.*unverified)/ms, 'signed');
is(logged('is down'), 0, 'none is down');
mood('A=500');
await("origin \"$tls_a\" .* is down: answered 500");
--- signed: GET /bucket/key
--- passed: B

=== TEST 2: a certificate for another name
--- http_config eval: http() =~ s/host=a\.example\.com/host=c.example.com/r
--- config eval: on($verify)
--- init
await("origin \"$tls_a\" .* is down: TLS certificate: it is for another name");
await('is up');
--- signed: GET /bucket/key
--- passed: B

=== TEST 3: a certificate that nobody trusted has signed; all origins are tried, and rejected
--- http_config eval: http()
--- config eval: on($distrust)
--- init
await("origin \"$tls_b\" .* is down: TLS certificate: unable to ");
--- unsigned: GET /nothing
--- answers: 403

=== TEST 4: not verified, as the location says
--- http_config eval: http()
--- config eval: on('')
--- init
await('is up', 2);
--- signed: GET /bucket/key

=== TEST 5: of two locations, the one that verifies
--- http_config eval: http() =~ s/host=a\.example\.com/host=c.example.com/r
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location / { proxy_pass https://u; }
    location /v { proxy_pass https://u; $TEST_NGINX_VERIFY }
--- init
await("origin \"$tls_a\" .* is down: TLS certificate: it is for another name");
--- signed: GET /bucket/key
--- passed: B

=== TEST 6: a name of the location's own
--- http_config eval: http() =~ s/host=a\.example\.com/host=c.example.com/r
--- config eval: on("$verify proxy_ssl_name a.example.com:443; proxy_ssl_server_name on;")
--- init
await("origin \"$tls_a\" .* is up");
await("origin \"$tls_b\" .* is down: TLS certificate: it is for another name");
--- signed: GET /bucket/key
--- passed: A

=== TEST 7: TLS is not spoken there
--- http_config eval: http('fall=1', $at_a)
--- config eval: on($verify)
--- init
await("origin \"$at_a\" .* is down: ");
--- signed: GET /bucket/key
--- passed: B

=== TEST 8: it does not answer the handshake
--- http_config eval: http('fall=5 timeout=500ms', "127.0.0.1:$spare")
--- config eval: on($verify)
--- init
await("origin \"$tls_b\" .* is up");
await("origin \"127.0.0.1:$spare\" .* is down: timed out in the TLS handshake");
--- signed: GET /bucket/key
--- passed: B

=== TEST 9: nginx is told to stop in the middle of handshakes
--- http_config eval: http('timeout=1m', "127.0.0.1:$spare")
--- config eval: on($verify)
--- init
await("origin \"$tls_b\" .* is up");
sleep 0.2;
--- unsigned: GET /nothing
--- answers: 403

=== TEST 10: with settings for all locations, of which one speaks TLS and one does not
--- http_config eval
http() . <<"END";
    upstream plain {
        zone plain 64k;
        server $at_a;
        s3_origin default $ENV{TEST_NGINX_CRED_A};
        s3_health_check interval=100ms fall=1;
    }
END
--- config
    $TEST_NGINX_VERIFY
    proxy_ssl_protocols TLSv1.2 TLSv1.3;
    $TEST_NGINX_CLIENT
    s3_resign on;
    location / { proxy_pass https://u; }
    location /plain { proxy_pass http://plain; }
--- init
await('is up', 3);
is(logged('is down'), 0, 'none is down');
--- signed: GET /bucket/key
