# What 070-failover.t says of an origin that answers before it has all of a body, or leaves, where TLS is spoken to it:
# a write that fails is one of TLS then, and what can be read has yet to be decrypted.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Temp qw(tempdir);
use S3Test;
use Test::Nginx::Socket;

my $dir = tempdir(CLEANUP => 1);
plan(skip_all => 'nginx without TLS') if S3Test::lacks('http_ssl_module');
S3Test::certificates($dir) or plan(skip_all => 'no openssl command to make certificates with');
plan('no_plan');

my ($tls_a, $tls_b) = map {"127.0.0.1:$_"} @ENV{qw(TEST_NGINX_TLS_A TEST_NGINX_TLS_B)};

# A speaks by itself, by the first segment of the path: it answers without a look at the body, and closes as soon as
# more of it comes, or leaves without an answer. With anything else, it and B are the mock origins behind TLS.
my $statuses = join '', map {"location /$_/ { return $_ '<Error><Code>Said$_</Code></Error>'; }\n"} 403, 412, 503;
$ENV{TEST_NGINX_ORIGINS} = my $origins = join '', map {
    my ($name, $address, $mock, $more) = @$_;
    <<"END";
    server {
        listen $address ssl;
        ssl_certificate $dir/$name.crt;
        ssl_certificate_key $dir/$name.key;
        client_max_body_size 0;
        lingering_time 0;
        $more
        location / {
            proxy_pass http://$mock;
            proxy_set_header Host \$http_host;
            proxy_set_header X-Connection-Requests \$connection_requests;
        }
    }
END
} ['a', $tls_a, $ENV{TEST_NGINX_A}, "$statuses location /200/ { return 200 stored; } location /leave/ { return 444; }"], ['b', $tls_b, $ENV{TEST_NGINX_B}, ''];

sub upstream {
    my ($a, $more) = @_;
    return <<"END";
    upstream u {
        server $a max_fails=0; server $tls_b backup; $more
        s3_origin $a $ENV{TEST_NGINX_CRED_A} host=a.example.com;
        s3_origin $tls_b $ENV{TEST_NGINX_CRED_B} host=b.example.com;
    }
END
}
$ENV{TEST_NGINX_CLOSING} = $origins . upstream($tls_a, '');
$ENV{TEST_NGINX_KEEPING} = $origins . upstream($tls_a, 'keepalive 1;');
$ENV{TEST_NGINX_MISSING} = $origins . upstream($ENV{TEST_NGINX_DEAD}, '');
$ENV{TEST_NGINX_NOT_TLS} = $origins . upstream($ENV{TEST_NGINX_A}, '');
sub on {
    return "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass https://u; proxy_http_version 1.1;"
        . " proxy_set_header Connection ''; client_max_body_size 0; @_ }";
}
# More than the sockets hold.
our $huge = 'x' x (6 << 20);

prepare();
run_tests();

__DATA__

=== TEST 1: what an origin says before it has all of a body, and closes
--- http_config
$TEST_NGINX_CLOSING
--- config eval: on()
--- signed
2x PUT /412/t1/key body=$huge
upload PUT /403/t1/key kind=unsigned body=$huge
unsigned GET /_log/412/t1
--- answers
2x 412 <Code>Said412<
403 <Code>Said403<
200 is

=== TEST 2: the same with bodies that stream
--- http_config
$TEST_NGINX_CLOSING
--- config eval: on('proxy_request_buffering off;')
--- signed
PUT /412/t2/key body=$huge
upload PUT /403/t2/key kind=unsigned body=$huge
--- answers
412 <Code>Said412<
403 <Code>Said403<

=== TEST 3: on connections that are kept
--- http_config
$TEST_NGINX_KEEPING
--- config eval: on()
--- signed
GET /t3/key
PUT /412/t3/key body=$huge
    If-None-Match: *
GET /t3/key
PUT /412/t3/key body=$huge
    If-None-Match: *
--- answers
200 ^origin A\nverified yes.*X-Connection-Requests: 1\n
412 <Code>Said412<
200 ^origin A\nverified yes.*X-Connection-Requests: 1\n
412 <Code>Said412<

=== TEST 4: a condition that the first origin may have judged
--- http_config
$TEST_NGINX_CLOSING
--- config eval: on('proxy_next_upstream error timeout http_503 non_idempotent;')
--- signed
2x PUT /412/t4/key body=$huge
    If-None-Match: *
PUT /leave/t4/key body=$huge
    If-Match: "etag"
PUT /leave/t4/key body=hello
    If-None-Match: *
POST /leave/t4/key?uploadId=1 body=x
    If-None-Match: *
DELETE /leave/t4/key
    x-amz-if-match-size: 5
PUT /503/t4/key body=hello
    If-None-Match: *
unsigned GET /_log/412/t4
unsigned GET /_log/leave/t4
unsigned GET /_log/503/t4
--- answers
2x 412 <Code>Said412<
4x 502 InternalError
503 <Code>Said503<
3x 200 is

=== TEST 5: without one it is tried again
--- http_config
$TEST_NGINX_CLOSING
--- config eval: on('proxy_next_upstream error http_503;')
--- signed
PUT /leave/t5/key body=$huge
DELETE /leave/t5/key
PUT /503/t5/key body=hello
POST /leave/t5/key?uploadId=1 body=x
--- answers
3x 200 ^origin B\nverified yes
502 InternalError

=== TEST 6: whatever it is, if the origin has heard nothing of it
--- http_config
$TEST_NGINX_MISSING
--- config eval: on('proxy_request_buffering off;')
--- signed
PUT /t6/key body=$huge
    If-None-Match: *
POST /t6/key?uploadId=1 body=x
--- answers: 2x 200 ^origin B\nverified yes

=== TEST 7: and so if TLS fails
--- http_config
$TEST_NGINX_NOT_TLS
--- config eval: on('proxy_request_buffering off;')
--- signed
PUT /t7/key body=$huge
    If-None-Match: *
POST /t7/key?uploadId=1 body=x
--- answers: 2x 200 ^origin B\nverified yes

=== TEST 8: a connection on which an origin says 499 is not used again
--- http_config
$TEST_NGINX_KEEPING
--- config eval: on()
--- signed
GET /t8/key
GET /t8/key mock=A=499
GET /t8/key
GET /t8/key
--- answers
200 ^origin A\n.*X-Connection-Requests: 1\n
499
200 ^origin A\n.*X-Connection-Requests: 1\n
200 ^origin A\n.*X-Connection-Requests: 2\n

=== TEST 9: an origin that says 200 without having read the body has not stored it
--- http_config
$TEST_NGINX_CLOSING
--- config eval: on()
--- signed
PUT /200/t9/key body=$huge
upload PUT /200/t9/key kind=unsigned body=$huge
PUT /200/t9/key body=hello
--- answers
502 InternalError
502 InternalError
200 is stored
