# The directives: contexts, merging, env: and file: values; and each wrong
# configuration, which nginx must reject with one line that names the directive,
# the value and what to write instead.
#
# A long file: each wrong line is a block of its own.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Temp qw(tempdir);
use S3Test;
use Test::Nginx::Socket 'no_plan';

my $dir = tempdir(CLEANUP => 1);
$ENV{TEST_NGINX_DIR} = $dir;
my %files = (
    client   => "$ENV{TEST_NGINX_CLIENT_SECRET}\n",
    crlf     => "$ENV{TEST_NGINX_CLIENT_SECRET}\r\n",
    bare     => $ENV{TEST_NGINX_CLIENT_SECRET},
    lines    => "$ENV{TEST_NGINX_CLIENT_SECRET}\na second line\n",
    empty    => '',
    newline  => "\n",
    'a.conf' => join('', map {"s3_client AKID$_ secret_key=s$_;\n"} 1 .. 5000),
);
for my $name (keys %files) {
    open my $out, '>', "$dir/$name" or die $!;
    print $out $files{$name};
}
$ENV{S3_TEST_CLIENT}   = $ENV{TEST_NGINX_CLIENT_SECRET};
$ENV{S3_TEST_ORIGIN_A} = 'oRiGiNa+sEcReT/0123456789abcdefghijklmno';
$ENV{S3_TEST_EMPTY}    = '';
delete $ENV{S3_TEST_UNSET};

# A location with a given proxy_pass, or another line.
sub location { "$ENV{TEST_NGINX_CLIENT}\nlocation / { s3_resign on; $_[0] }\n" }
# An upstream with given lines after "server A;".
sub upstream { "upstream u { server $ENV{TEST_NGINX_A}; $_[0] }\n" }

prepare();
run_tests();

__DATA__

=== TEST 1: each directive at each level
--- http_config
    s3_resign off;
    s3_client AKID1 secret_key=x;
    s3_origin default access_key=x secret_key=y;
    s3_host $http_host;
    s3_region us-east-1;
    s3_max_skew 10m;
    s3_anonymous off;
    s3_signature_v2 off;
    s3_verify_payload off;
    s3_errors s3;
    s3_debug_errors off;
--- config
    s3_resign off;
    s3_client AKID1 secret_key=x;
    s3_origin access_key=x secret_key=y session_token=z region=us-west-2 host=s3.example.com:444 addressing=path;
    s3_host example.com;
    s3_region us-east-1;
    s3_max_skew 10m;
    s3_anonymous sign allow=GetObject buckets=a;
    s3_signature_v2 on;
    s3_verify_payload on;
    s3_errors s3proxy;
    s3_debug_errors on;
    location / {
        s3_resign on;
        $TEST_NGINX_CLIENT
        $TEST_NGINX_READER
        s3_host $http_host;
        s3_region us-east-1;
        s3_max_skew 900;
        s3_anonymous off;
        s3_signature_v2 off;
        s3_verify_payload off;
        s3_errors s3;
        s3_debug_errors off;
        proxy_pass http://origin_a;
    }
--- signed: GET /bucket/key
--- passed: A

=== TEST 2: a location inherits from its server, which inherits from http
--- http_config
    $TEST_NGINX_CLIENT
    s3_max_skew 1h;
--- config
    s3_resign on;
    location / { proxy_pass http://origin_a; }
--- signed: GET /bucket/key skew=-3000
--- passed: A

=== TEST 3: a location turns off what its server turned on
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    location / { proxy_pass http://origin_a; }
    location /off { s3_resign off; proxy_pass http://origin_a; }
--- unsigned
GET /bucket/key
GET /off
--- answers
403 AccessDenied
200 verified no: not signed

=== TEST 4: and the other way round, for each flag
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    s3_anonymous on;
    s3_signature_v2 on;
    s3_errors s3proxy;
    s3_debug_errors on;
    s3_max_skew 1h;
    location / {
        s3_anonymous off;
        s3_signature_v2 off;
        s3_errors s3;
        s3_debug_errors off;
        s3_max_skew 15m;
        proxy_pass http://origin_a;
    }
    location /on { proxy_pass http://origin_a; }
--- signed
unsigned GET /bucket/key
signed_v2 GET /bucket/key
GET /bucket/key skew=-3000
unsigned GET /on/key
signed_v2 GET /on/key
GET /on/key skew=-3000
--- answers
403 <Code>AccessDenied<
400 <Code>InvalidRequest<
403 <Code>RequestTimeTooSkewed<
200 verified no: not signed
200 verified yes
200 verified yes

=== TEST 5: s3_region any undoes the outer s3_region
--- config
    $TEST_NGINX_CLIENT
    s3_resign on;
    s3_region eu-west-9;
    location / { proxy_pass http://origin_a; }
    location /any { s3_region any; proxy_pass http://origin_a; }
--- signed
GET /bucket/key
GET /any/key
--- answers
400
200

=== TEST 6: clients of a location stand in place of its server's
--- config
    $TEST_NGINX_READER
    s3_resign on;
    location / { proxy_pass http://origin_a; }
    location /c { $TEST_NGINX_CLIENT proxy_pass http://origin_a; }
--- signed
GET /bucket/key
GET /bucket/key as=reader
GET /c/key
GET /c/key as=reader
--- answers
403
200
200
403

=== TEST 7: limit_except and if inherit
--- config
    $TEST_NGINX_CLIENT
    location / {
        s3_resign on;
        proxy_pass http://origin_a;
        limit_except GET { deny all; }
        if ($arg_x) { set $y 1; }
    }
--- signed
GET /bucket/key
GET /bucket/key?x=1
GET /bucket/key?x=1 query=
PUT /bucket/key
--- answers
200
200
403
403

=== TEST 8: nested locations
--- config
    $TEST_NGINX_CLIENT
    location / {
        s3_resign on;
        location /in { proxy_pass http://origin_a; }
        proxy_pass http://origin_b;
    }
--- signed
GET /in/key path=/bucket/key
GET /in/key
GET /out/key
--- answers
403 SignatureDoesNotMatch
200 ^origin A\nverified yes
200 ^origin B\nverified yes

=== TEST 9: another server of the same port
--- http_config
    server {
        listen $TEST_NGINX_LISTEN;
        server_name other;
        s3_client AKIDOTHER secret_key=other;
        location / { s3_resign on; proxy_pass http://origin_b; }
    }
--- signed
GET /bucket/key
GET /bucket/key host=other
GET /bucket/key key=AKIDOTHER secret=other
GET /bucket/key host=other key=AKIDOTHER secret=other
--- answers
200 ^origin A
403 InvalidAccessKeyId
403 InvalidAccessKeyId
200 ^origin B\nverified yes

=== TEST 10: values from the environment
--- http_config
    upstream u {
        server $TEST_NGINX_A;
        s3_origin default access_key=AKIDORIGINA secret_key=env:S3_TEST_ORIGIN_A region=us-east-1;
    }
--- config
    s3_client AKIDCLIENT secret_key=env:S3_TEST_CLIENT;
    location / { s3_resign on; proxy_pass http://u; }
--- signed: GET /bucket/key
--- passed: A

=== TEST 11: values from files: the first line without its end
--- config
    s3_client AKIDCLIENT secret_key=file:$TEST_NGINX_DIR/client;
    location / { s3_resign on; proxy_pass http://origin_a; }
    location /bare { s3_resign on; s3_client AKIDCLIENT secret_key=file:$TEST_NGINX_DIR/bare; proxy_pass http://origin_a; }
    location /lines { s3_resign on; s3_client AKIDCLIENT secret_key=file:$TEST_NGINX_DIR/lines; proxy_pass http://origin_a; }
--- signed
GET /bucket/key
GET /bare
GET /lines
--- answers: 3x 200

=== TEST 12: five thousand clients
--- config
    include $TEST_NGINX_DIR/a.conf;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed
GET /bucket/key key=AKID5000 secret=s5000
GET /bucket/key key=AKID17 secret=s17
GET /bucket/key key=AKID5001 secret=s5001
--- answers
200
200
403

=== TEST 13: a client that may only read
--- config
    s3_client AKIDCLIENT secret_key=env:S3_TEST_CLIENT allow=read;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed
GET /bucket/key
HEAD /bucket/key
PUT /bucket/key
DELETE /bucket/key
POST /bucket/key?uploads
--- answers
200 verified yes
200 is
3x 403 <Code>AccessDenied<

=== TEST 14: a client that may only write
--- config
    s3_client AKIDCLIENT secret_key=env:S3_TEST_CLIENT allow=write;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed
GET /bucket/key
PUT /bucket/key
DELETE /bucket/key
--- answers
403
200
200

=== TEST 15: a client with buckets of its own
--- config
    s3_client AKIDCLIENT secret_key=env:S3_TEST_CLIENT buckets=media,logs-*;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed
GET /media/key
GET /logs-1/key
GET /logs-/
GET /medias/key
GET /logs/key
GET /other/media
GET /%6Dedia/key
--- answers
3x 200
3x 403
200

=== TEST 16: buckets= holds for the source of a copy as well
--- config
    s3_client AKIDCLIENT secret_key=env:S3_TEST_CLIENT buckets=media;
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed
PUT /media/key
    x-amz-copy-source: /media/other
PUT /media/key
    x-amz-copy-source: secret/object
PUT /media/key
    x-amz-copy-source: /secret/object
PUT /media/key
    x-amz-copy-source: /%73ecret/object?versionId=1
--- answers
200
3x 403

=== TEST 17: s3_origin addressing=virtual: the bucket goes into the host
--- http_config
    upstream u { server $TEST_NGINX_A; s3_origin default $TEST_NGINX_CRED_A host=s3.example.com addressing=virtual; }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://u; }
--- signed
GET /bucket/key/a
GET /bucket
GET /
--- answers
200 verified yes.*line GET /key/a HTTP.*(?i:header host: )bucket\.s3\.example\.com\n
200 verified yes.*line GET / HTTP.*(?i:header host: )bucket\.s3\.example\.com\n
200 verified yes.*line GET / HTTP.*(?i:header host: )s3\.example\.com\n

=== TEST 18: s3_client: unknown parameter
--- config eval: location('s3_client K secret_key=sss colour=red; proxy_pass http://origin_a;')
--- does_not_start: "s3_client K.*"colour".*"secret_key=".* in \S+:\d+

=== TEST 19: s3_client: a parameter without a name keeps its text to itself
--- config eval: location('s3_client K thesecretitself; proxy_pass http://origin_a;')
--- does_not_start: "s3_client K": a word is not a parameter
--- no_error_log
thesecretitself

=== TEST 20: s3_client without secret_key
--- config eval: location('s3_client K allow=read; proxy_pass http://origin_a;')
--- does_not_start: "s3_client K".*"secret_key=".*env:NAME

=== TEST 21: s3_client without anything
--- config eval: location('s3_client K; proxy_pass http://origin_a;')
--- does_not_start: "s3_client"

=== TEST 22: s3_client three times, or twice with one secret
--- config
    s3_client K secret_key=a;
    s3_client K secret_key=b;
    s3_client K secret_key=c;
--- does_not_start: "s3_client K" is duplicate: keep two lines for an access key

=== TEST 23: secret_key twice
--- config
    s3_client K secret_key=a secret_key=b;
--- does_not_start: "s3_client K".*"secret_key=".*duplicate

=== TEST 24: an empty secret
--- config
    s3_client K secret_key=;
--- does_not_start: "s3_client K".*"secret_key=".*empty

=== TEST 25: an empty access key
--- config
    s3_client "" secret_key=a;
--- does_not_start: "s3_client.*empty

=== TEST 26: a variable that is not set
--- config
    s3_client K secret_key=env:S3_TEST_UNSET;
--- does_not_start: "s3_client K".*S3_TEST_UNSET.*not set

=== TEST 27: a variable that is empty
--- config
    s3_client K secret_key=env:S3_TEST_EMPTY;
--- does_not_start: "s3_client K".*empty

=== TEST 28: a file that is missing
--- config
    s3_client K secret_key=file:$TEST_NGINX_DIR/missing;
--- does_not_start: "s3_client K".*missing.*No such file

=== TEST 29: a file that is a folder
--- config
    s3_client K secret_key=file:$TEST_NGINX_DIR;
--- does_not_start: "s3_client K".*cannot read

=== TEST 30: a file that is empty
--- config
    s3_client K secret_key=file:$TEST_NGINX_DIR/empty;
--- does_not_start: "s3_client K".*empty

=== TEST 31: a file whose first line is empty
--- config
    s3_client K secret_key=file:$TEST_NGINX_DIR/newline;
--- does_not_start: "s3_client K".*empty

=== TEST 32: allow= of an unknown kind
--- config
    s3_client K secret_key=a allow=read,wirte;
--- does_not_start: "s3_client K".*"wirte" in "allow=".*"ListObject\*"

=== TEST 33: buckets= with an empty name
--- config
    s3_client K secret_key=a buckets=a,,b;
--- does_not_start: "s3_client K".*buckets=

=== TEST 34: s3_origin names a server that the upstream lacks
--- http_config eval: upstream('s3_origin default $TEST_NGINX_CRED_A; s3_origin s3.example.com access_key=a secret_key=b;')
--- config eval: location('proxy_pass http://u;')
--- does_not_start: "s3_origin s3\.example\.com".*upstream "u".*server

=== TEST 35: the server's line has a port, s3_origin's has not
--- http_config
    upstream u { server 127.0.0.1:80; s3_origin 127.0.0.1 access_key=a secret_key=b; }
--- config eval: location('proxy_pass http://u;')
--- does_not_start: "s3_origin 127\.0\.0\.1"

=== TEST 36: a server without an s3_origin
--- http_config eval: upstream('server 127.0.0.1:1 backup; s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A;')
--- config eval: location('proxy_pass http://u;')
--- does_not_start: "server 127\.0\.0\.1:1" in upstream "u".*"s3_origin

=== TEST 37: no s3_origin in the upstream at all
--- http_config eval: upstream('')
--- config eval: location('proxy_pass http://u;')
--- does_not_start: "s3_resign".*"u".*"s3_origin

=== TEST 38: s3_origin of a location is none for an explicit upstream
--- http_config eval: upstream('')
--- config eval: location('s3_origin default $TEST_NGINX_CRED_A; proxy_pass http://u;')
--- does_not_start: "u".*"s3_origin

=== TEST 39: s3_origin twice for a server
--- http_config eval: upstream('s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A;')
--- does_not_start: "s3_origin 127\.0\.0\.1:\d+".*duplicate

=== TEST 40: s3_origin without access_key
--- http_config eval: upstream('s3_origin default secret_key=x;')
--- does_not_start: "s3_origin default".*"access_key="

=== TEST 41: s3_origin without secret_key
--- http_config eval: upstream('s3_origin default access_key=x;')
--- does_not_start: "s3_origin default".*"secret_key="

=== TEST 42: s3_origin, an unknown parameter
--- http_config eval: upstream('s3_origin default access_key=x secret_key=y weight=3;')
--- does_not_start: "s3_origin default".*"weight"

=== TEST 43: s3_origin, an empty access_key
--- http_config eval: upstream('s3_origin default access_key= secret_key=y;')
--- does_not_start: "s3_origin default".*"access_key=".*empty

=== TEST 44: s3_origin, an unknown addressing
--- http_config eval: upstream('s3_origin default access_key=x secret_key=y addressing=auto;')
--- does_not_start: "s3_origin default".*"addressing=auto".*"virtual"

=== TEST 44b: s3_origin, an unknown dialect
--- http_config eval: upstream('s3_origin default access_key=x secret_key=y dialect=CEPH;')
--- does_not_start: "s3_origin default".*"dialect=CEPH".*"ceph"

=== TEST 45: s3_origin, a host that is a URL
--- http_config eval: upstream('s3_origin default access_key=x secret_key=y host=https://s3.example.com;')
--- does_not_start: "s3_origin default".*"host=https.*NAME

=== TEST 46: s3_origin, an empty host
--- http_config eval: upstream('s3_origin default access_key=x secret_key=y host=;')
--- does_not_start: "s3_origin default".*"host="

=== TEST 47: s3_origin, a region that is none
--- http_config eval: upstream('s3_origin default access_key=x secret_key=y region=us/east;')
--- does_not_start: "s3_origin default".*"region=us/east"

=== TEST 48: s3_origin, a variable that is not set
--- http_config eval: upstream('s3_origin default access_key=x secret_key=env:S3_TEST_UNSET;')
--- does_not_start: "s3_origin default".*S3_TEST_UNSET

=== TEST 49: s3_origin in an upstream without a server
--- http_config eval: upstream('s3_origin access_key=x secret_key=y;')
--- does_not_start: "s3_origin".*SERVER

=== TEST 50: s3_origin twice in a location
--- config eval: location('s3_origin default access_key=x secret_key=y; s3_origin access_key=x secret_key=y; proxy_pass http://127.0.0.1:1;')
--- does_not_start: "s3_origin".*duplicate

=== TEST 51: a server name in s3_origin of a location
--- config eval: location('s3_origin s3.example.com access_key=x secret_key=y; proxy_pass http://127.0.0.1:1;')
--- does_not_start: "s3_origin"

=== TEST 52: proxy_pass to a host without s3_origin
--- config eval: location('proxy_pass http://127.0.0.1:1;')
--- does_not_start: "s3_resign".*"proxy_pass".*"s3_origin

=== TEST 53: proxy_pass to a host known at run time only
--- config eval: location('s3_origin access_key=x secret_key=y; proxy_pass http://$host;')
--- does_not_start: "s3_resign".*"proxy_pass"

=== TEST 54: proxy_pass to an upstream, with variables
--- config eval: location('proxy_pass http://origin_a$request_uri;')
--- does_not_start: "s3_resign".*"proxy_pass".*variables

=== TEST 55: proxy_pass to a variable inside if
--- config eval: location('proxy_pass http://origin_a; if ($arg_x) { proxy_pass http://$arg_x; }')
--- does_not_start: "s3_resign".*"proxy_pass"

=== TEST 56: proxy_pass to a variable inside limit_except
--- config eval: location('proxy_pass http://origin_a; limit_except GET { proxy_pass http://$host; }')
--- does_not_start: "s3_resign".*"proxy_pass"

=== TEST 57: proxy_pass to a variable in a nested location
--- config eval: location('proxy_pass http://origin_a; location /x { proxy_pass http://$host; }')
--- does_not_start: "s3_resign".*"proxy_pass"

=== TEST 58: proxy_pass to a host without s3_origin inside if
--- config eval: location('proxy_pass http://origin_a; if ($arg_x) { proxy_pass http://127.0.0.1:1; }')
--- does_not_start: "s3_resign".*"s3_origin

=== TEST 59: the same where s3_resign comes from the server, after the location
--- config
    $TEST_NGINX_CLIENT
    location / { proxy_pass http://$host; }
    s3_resign on;
--- does_not_start: "s3_resign".*"proxy_pass"

=== TEST 60: proxy_pass to a variable is nobody's business where s3_resign is off
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://origin_a; location /x { s3_resign off; proxy_pass http://$http_to; } }
--- unsigned
GET /x
    To: $TEST_NGINX_A
--- answers
200
    X-Origin: A
    X-Verified: no: not signed

=== TEST 61: fastcgi_pass
--- config eval: location('fastcgi_pass 127.0.0.1:1;')
--- does_not_start: "s3_resign".*"fastcgi_pass".*"proxy_pass"

=== TEST 62: uwsgi_pass
--- config eval: location('uwsgi_pass 127.0.0.1:1;')
--- does_not_start: "s3_resign".*"uwsgi_pass"

=== TEST 63: scgi_pass
--- config eval: location('scgi_pass 127.0.0.1:1;')
--- does_not_start: "s3_resign".*"scgi_pass"

=== TEST 64: grpc_pass
--- config eval: location('grpc_pass 127.0.0.1:1;')
--- does_not_start: "s3_resign".*"grpc_pass"

=== TEST 65: s3_resign on without any s3_client
--- config
    location / { s3_resign on; proxy_pass http://origin_a; }
--- does_not_start: "s3_resign".*"s3_client

=== TEST 66: a flag that is none
--- config
    s3_resign yes;
--- does_not_start: "yes".*"s3_resign".*"on" or "off"

=== TEST 67: s3_resign twice
--- config
    s3_resign on;
    s3_resign off;
--- does_not_start: "s3_resign".*duplicate

=== TEST 68: s3_max_skew that is no time
--- config
    s3_max_skew soon;
--- does_not_start: "s3_max_skew soon".*15m

=== TEST 69: s3_max_skew 0
--- config
    s3_max_skew 0;
--- does_not_start: "s3_max_skew 0"

=== TEST 70: s3_max_skew below 0
--- config
    s3_max_skew -5m;
--- does_not_start: "s3_max_skew -5m"

=== TEST 70a: s3_max_age that is no time
--- config
    s3_max_age on;
--- does_not_start: "s3_max_age on" is not a time.*"1h", or "off"

=== TEST 71: s3_errors of an unknown kind
--- config
    s3_errors html;
--- does_not_start: "s3_errors html".*"s3".*"s3proxy"

=== TEST 72: s3_region that is empty
--- config
    s3_region "";
--- does_not_start: "s3_region[ ]

=== TEST 73: settings twice
--- config
    s3_region a; s3_region b;
--- does_not_start: "s3_region".*duplicate

=== TEST 74: s3_host twice
--- config
    s3_host a; s3_host b;
--- does_not_start: "s3_host".*duplicate

=== TEST 75: s3_errors twice
--- config
    s3_errors s3; s3_errors s3;
--- does_not_start: "s3_errors".*duplicate

=== TEST 76: s3_client in an upstream
--- http_config eval: upstream('s3_client a secret_key=b;')
--- does_not_start: "s3_client".*not allowed here

=== TEST 77: the module is loaded once only
--- main_config eval: "load_module $ENV{TEST_NGINX_LOAD_MODULES};"
--- does_not_start: module "ngx_http_s3_resign_module" is already loaded

=== TEST 78: secrets with characters that mean something to S3 and to nginx
--- config
    s3_client AKID/x+y= "secret_key=a b;c{}$=";
    location / { s3_resign on; proxy_pass http://origin_a; }
--- signed
GET /bucket/key key=AKID/x+y= secret="a b;c{}$="
presigned GET /bucket/key key=AKID/x+y= secret="a b;c{}$="
--- answers: 2x 200

=== TEST 79: s3_bucket_map with one name
--- config
    s3_bucket_map a;
--- does_not_start: number of arguments in "s3_bucket_map"

=== TEST 80: s3_bucket_map with another parameter
--- config
    s3_bucket_map a b server=c;
--- does_not_start: "s3_bucket_map a b": unknown parameter "server": it takes "origin="

=== TEST 81: s3_bucket_map whose origin's side is no name
--- http_config eval: upstream('s3_bucket_map a /b;')
--- does_not_start: "s3_bucket_map a /b": "/b" is not the name of a bucket

=== TEST 82: s3_sse_c alone
--- config
    s3_sse_c;
--- does_not_start: number of arguments in "s3_sse_c"

=== TEST 83: s3_sse_c in an upstream
--- http_config eval: upstream('s3_sse_c off;')
--- does_not_start: "s3_sse_c".*not allowed here

=== TEST 84: s3_sse_c with a key that is none
--- config
    s3_sse_c b key=secret;
--- does_not_start: "s3_sse_c b" "key=" is not 32 bytes in base64

=== TEST 85: s3_origin with keys from nowhere that is known
--- http_config eval: upstream('s3_origin default credentials=azure;')
--- does_not_start: "s3_origin default": "credentials=".*"imds"

=== TEST 86: s3_seal_key twice
--- http_config eval: upstream('s3_seal_key 0123456789abcdef; s3_seal_key 0123456789abcdef;')
--- does_not_start: "s3_seal_key" is duplicate: keep one line in each upstream

=== TEST 87: s3_seal_key in a server
--- config
    s3_seal_key 0123456789abcdef;
--- does_not_start: "s3_seal_key".*not allowed here

=== TEST 88: s3_sts with two names
--- config
    location /sts { s3_sts a b; }
--- does_not_start: number of arguments in "s3_sts"

=== TEST 89: s3_sts twice
--- config
    location /sts { s3_sts; s3_sts; }
--- does_not_start: "s3_sts" is duplicate: keep one line in a location

=== TEST 90: s3_sts of a server
--- config
    s3_sts;
--- does_not_start: "s3_sts" directive is not allowed here

=== TEST 91: s3_role alone
--- config
    s3_role;
--- does_not_start: number of arguments in "s3_role"

=== TEST 92: s3_role in an upstream
--- config
--- http_config
    upstream up { server 127.0.0.1:9; s3_role r; }
--- does_not_start: "s3_role" directive is not allowed here

=== TEST 93: s3_role with a pattern that is none
--- config
    s3_role r issuer=https://a audience=b jwks=http://127.0.0.1/ condition=sub;
--- does_not_start: "s3_role r": "condition=sub" has no colon
