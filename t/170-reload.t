# Configuration reloads: the next workers verify and sign as the first did, with
# the new credentials, and a configuration that is refused changes nothing.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Test::Nginx::Socket 'no_plan';

$ENV{TEST_NGINX_U} = <<"END";
    upstream u {
        zone u 64k;
        server $ENV{TEST_NGINX_A};
        server $ENV{TEST_NGINX_B} backup;
        keepalive 4;
        s3_origin $ENV{TEST_NGINX_A} $ENV{TEST_NGINX_CRED_A};
        s3_origin $ENV{TEST_NGINX_B} $ENV{TEST_NGINX_CRED_B};
    }
END
$ENV{TEST_NGINX_ON} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    location / { s3_resign on; proxy_pass http://u; proxy_http_version 1.1; proxy_set_header Connection ""; }
    location /implicit/ { s3_resign on; s3_origin $ENV{TEST_NGINX_CRED_A}; proxy_pass http://$ENV{TEST_NGINX_A}; }
END

prepare();
run_tests();

__DATA__

=== TEST 1: after a reload
--- http_config
$TEST_NGINX_U
--- config
$TEST_NGINX_ON
--- init
reload();
--- request eval: ['GET /bucket/key', 'GET /bucket/key', 'GET /implicit/key', 'GET /bucket/key']
--- more_headers eval: [h4() . "X-Mock: A=close\n", h4(tamper => 1), h4(path => '/implicit/key'), h4()]
--- error_code eval: [200, 403, 200, 200]
--- response_body_like eval: ["^origin B\nverified yes", 'SignatureDoesNotMatch', "^origin A\nverified yes", 'verified yes']

=== TEST 2: after ten reloads
--- http_config
$TEST_NGINX_U
--- config
$TEST_NGINX_ON
--- init
reload(undef, 10);
--- request eval: ['GET /bucket/key', 'GET /implicit/key']
--- more_headers eval: [h4(), h4(path => '/implicit/key')]
--- error_code eval: [200, 200]
--- response_body_like eval: [("^origin A\nverified yes") x 2]

=== TEST 3: a client's secret has changed
--- http_config
$TEST_NGINX_U
--- config
$TEST_NGINX_ON
--- init
reload(sub { s/(s3_client AKIDCLIENT secret_key=)[^;]+/$1another/ });
--- request eval: ['GET /bucket/key', 'GET /bucket/key']
--- more_headers eval: [h4(), h4(secret => 'another')]
--- error_code eval: [403, 200]
--- response_body_like eval: ['SignatureDoesNotMatch', 'verified yes']

=== TEST 4: an origin's secret has changed: no signing key of old is used
--- http_config
$TEST_NGINX_U
--- config
$TEST_NGINX_ON
--- init
reload(sub { s/(s3_origin [\d.:]+ access_key=AKIDORIGINA secret_key=)\S+/$1another/g });
--- request
GET /bucket/key
--- more_headers eval: h4()
--- response_headers_like
X-Verified: no: wrong signature.*

=== TEST 5: a refused configuration changes nothing
--- http_config
$TEST_NGINX_U
--- config
$TEST_NGINX_ON
--- init
reload(sub { s/(s3_client AKIDCLIENT) secret_key=[^;]+/$1 secret_key=env:S3_TEST_NONE/ });
--- request
GET /bucket/key
--- more_headers eval: h4()
--- passed: A
--- error_log eval: qr/\[emerg\].*"s3_client AKIDCLIENT".*S3_TEST_NONE/

=== TEST 6: switched off, and on again
--- http_config
$TEST_NGINX_U
--- config
$TEST_NGINX_ON
--- init
reload(sub { s/s3_resign on;/s3_resign off;/g });
reload(sub { s/s3_resign off;( s3_origin| proxy_pass http:\/\/u)/s3_resign on;$1/g });
--- request eval: ['GET /bucket/key', 'GET /bucket/key']
--- more_headers eval: [h4(), '']
--- error_code eval: [200, 403]
--- response_body_like eval: ['verified yes', 'AccessDenied']
