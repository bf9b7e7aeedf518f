# s3_healthz: what a balancer in front is told, and by whom it may be asked.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Test::Nginx::Socket 'no_plan';

# Upstreams a and b, checked, and c, which is not.
our $upstreams = join '', map { my ($name, $origin, $check) = @$_; <<"END" }
    upstream $name {
        zone $name 64k;
        server $ENV{"TEST_NGINX_$origin"};
        s3_origin default $ENV{"TEST_NGINX_CRED_$origin"};
        $check
    }
END
    map { [lc, $_, $_ eq 'C' ? '' : 's3_health_check interval=100ms fall=1 rise=1 expect=2xx;'] } qw(A B C);

our $locations = "s3_resign on; $ENV{TEST_NGINX_CLIENT}" . join '', map {"location /$_ { proxy_pass http://$_; }"} qw(a b c);
# The whole body of an answer.
our ($ok, $nok) = map {qq({"status":"$_"}\n)} qw(ok nok);

our $healthz = 'location = /healthz { s3_healthz; } location = /healthz/a { s3_healthz a; }'
    . ' location = /healthz/if { s3_healthz a; if ($request_method = GET) { set $x 1; } }';

sub is_logged {
    my ($pattern, $times) = @_;
    wait_until(sub { logged($pattern) >= ($times // 1) }, $pattern);
}

prepare();
add_test_cleanup_handler(sub { mood("$_=none") for qw(A B C) });
run_tests();

__DATA__

=== TEST 1: all is well
--- http_config eval: $upstreams
--- config eval: $locations . $healthz
--- unsigned
GET /healthz
GET /healthz/a
GET /healthz?a=b
HEAD /healthz
--- answers
3x 200 is $ok
    Content-Type: application/json
    Cache-Control: no-store
    Content-Length: 16
200 is
    Content-Type: application/json
    Cache-Control: no-store
    Content-Length: 16

=== TEST 2: one of two upstreams is down
--- http_config eval: $upstreams
--- config eval: $locations . $healthz
--- init
mood('B=503');
is_logged('is down: answered 503');
--- unsigned
GET /healthz
GET /healthz/a
GET /healthz/if
HEAD /healthz
HEAD /healthz/a
--- answers
450 is $nok
    Content-Type: application/json
    Cache-Control: no-store
    Content-Length: 17
2x 200 is $ok
    Content-Type: application/json
    Cache-Control: no-store
    Content-Length: 16
450 is
    Content-Type: application/json
    Cache-Control: no-store
    Content-Length: 17
200 is
    Content-Type: application/json
    Cache-Control: no-store
    Content-Length: 16

=== TEST 3: and up again
--- http_config eval: $upstreams
--- config eval: $locations . $healthz
--- init
is_logged('is up', 2);
mood('A=503');
is_logged('is down: answered 503');
is_logged('\[warn\].*all origins of upstream "a" are down');
is(HTTP::Tiny->new->get("http://127.0.0.1:$ENV{TEST_NGINX_PORT}/healthz/a")->{status}, 450, 'down');
mood('A=none');
is_logged('is up', 3);
--- unsigned: GET /healthz/a
--- answers: 200 is $ok

=== TEST 4: as HAProxy asks
--- http_config eval: $upstreams
--- config eval: $locations . $healthz
--- raw_request eval: "GET /healthz HTTP/1.0\r\n\r\n"
--- answers: 200 is $ok

=== TEST 5: no other methods
--- http_config eval: $upstreams
--- config eval: $locations . $healthz
--- unsigned
POST /healthz sent=x
PUT /healthz sent=x
DELETE /healthz
--- answers
3x 405
    Allow: GET, HEAD

=== TEST 6: an upstream with one of two origins down is up
--- http_config
    upstream ab {
        zone ab 64k;
        server $TEST_NGINX_A; server $TEST_NGINX_B;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
        s3_health_check interval=100ms fall=1;
    }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://ab; }
    location = /healthz { s3_healthz ab; }
--- init
mood('A=503');
is_logged('is down: answered 503');
--- unsigned: GET /healthz
--- answers: 200 is $ok

=== TEST 7: one that is switched off does not count
--- http_config
    upstream ab {
        zone ab 64k;
        server $TEST_NGINX_A; server $TEST_NGINX_B down;
        s3_origin $TEST_NGINX_A $TEST_NGINX_CRED_A; s3_origin $TEST_NGINX_B $TEST_NGINX_CRED_B;
        s3_health_check interval=100ms fall=1;
    }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://ab; }
    location = /healthz { s3_healthz ab; }
--- init
mood('A=503');
is_logged('is down: answered 503');
--- unsigned: GET /healthz
--- answers: 450

=== TEST 8: an unknown upstream
--- http_config eval: $upstreams
--- config eval: $locations . 'location = /healthz { s3_healthz d; }'
--- does_not_start: "s3_healthz d".*no upstream "d".*add "s3_health_check;" there in \S+:\d+

=== TEST 9: an upstream that is not checked
--- http_config eval: $upstreams
--- config eval: $locations . 'location = /healthz { s3_healthz c; }'
--- does_not_start: "s3_healthz c".*no upstream "c" with health checks.*"s3_health_check;"

=== TEST 10: no upstream is checked
--- config
    location = /healthz { s3_healthz; }
--- does_not_start: "s3_healthz": no upstream has health checks: add "s3_health_check;" to one

=== TEST 11: twice
--- http_config eval: $upstreams
--- config eval: $locations . 'location = /healthz { s3_healthz a; s3_healthz b; }'
--- does_not_start: "s3_healthz" is duplicate

=== TEST 12: beside proxy_pass
--- http_config eval: $upstreams
--- config eval: $locations . 'location = /healthz { s3_healthz a; proxy_pass http://a; }'
--- does_not_start: "s3_healthz" in location "/healthz".*remove "proxy_pass" here

=== TEST 13: with s3_resign of its own
--- http_config eval: $upstreams
--- config eval: $locations . 'location = /healthz { s3_healthz a; s3_resign on; }'
--- does_not_start: "s3_healthz" in location "/healthz".*remove "s3_resign" here

=== TEST 14: allow and deny hold
--- http_config eval: $upstreams
--- config eval: $locations . 'location = /healthz { s3_healthz; deny all; }'
--- unsigned: GET /healthz
--- answers: 403
