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
--- signed
GET /bucket/key mock=A=close
GET /bucket/key tamper
GET /implicit/key
GET /bucket/key
--- answers
200 ^origin B\nverified yes
403 SignatureDoesNotMatch
200 ^origin A\nverified yes
200 verified yes

=== TEST 2: after ten reloads
--- http_config
$TEST_NGINX_U
--- config
$TEST_NGINX_ON
--- init
reload(undef, 10);
--- signed
GET /bucket/key
GET /implicit/key
--- answers: 2x 200 ^origin A\nverified yes

=== TEST 3: a client's secret has changed
--- http_config
$TEST_NGINX_U
--- config
$TEST_NGINX_ON
--- init
reload(sub { s/(s3_client AKIDCLIENT secret_key=)[^;]+/$1another/ });
--- signed
GET /bucket/key
GET /bucket/key secret=another
--- answers
403 SignatureDoesNotMatch
200 verified yes

=== TEST 4: an origin's secret has changed: no signing key of old is used
--- http_config
$TEST_NGINX_U
--- config
$TEST_NGINX_ON
--- init
reload(sub { s/(s3_origin [\d.:]+ access_key=AKIDORIGINA secret_key=)\S+/$1another/g });
--- signed: GET /bucket/key
--- response_headers_like
X-Verified: no: wrong signature.*

=== TEST 5: a refused configuration changes nothing
--- http_config
$TEST_NGINX_U
--- config
$TEST_NGINX_ON
--- init
reload(sub { s/(s3_client AKIDCLIENT) secret_key=[^;]+/$1 secret_key=env:S3_TEST_NONE/ });
--- signed: GET /bucket/key
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
--- signed
GET /bucket/key
unsigned GET /bucket/key
--- answers
200 verified yes
403 AccessDenied
