# s3_health_check: origins are asked with their own credentials, leave and come
# back by rise and fall, and what is known of them outlives a worker and a reload.
#
# A long file: checks take their time, and all of its blocks share the helpers below.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test ':running';
use Test::Nginx::Socket 'no_plan';
use Time::HiRes qw(sleep time);

our ($at_a, $at_b) = @ENV{qw(TEST_NGINX_A TEST_NGINX_B)};
our $on = "$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; proxy_pass http://u; }";
workers(2);

# The words of this file: an upstream u of A and B, to which all locations pass their requests.
#
#   --- check: fall=1 uri=/x   the parameters of its s3_health_check
#   --- server_b: backup       those of B's server
#   --- upstream: least_conn;  more lines of it
#   --- server: s3_...;        more lines of the server block
sub check_section {
    my $block = shift;

    return if !defined $block->check;
    my $upstream = http($block->check, $block->server_b // '', $block->upstream // '');
    $block->set_value(http_config => $upstream . ($block->http_config // ''));
    $block->set_value(config => "$on\n" . ($block->server // '')) if !defined $block->config;
}

sub http {
    my ($check, $server_b, $more) = (@_, '', '', '')[0 .. 2];
    $check = "interval=100ms $check" if $check !~ /\binterval=/;
    return <<"END";
    upstream u {
        zone u 64k;
        $more
        server $at_a max_fails=0;
        server $at_b max_fails=0 $server_b;
        s3_origin $at_a $ENV{TEST_NGINX_CRED_A};
        s3_origin $at_b $ENV{TEST_NGINX_CRED_B};
        s3_health_check $check;
    }
END
}

# Which origins answer six requests, sorted; "-" is an answer of nginx's own.
sub answers { join '', sort map { ask(@_)->{headers}{'x-origin'} // '-' } 1 .. 6 }

sub await {
    my ($pattern, $times) = @_;
    wait_until(sub { logged($pattern) >= ($times // 1) }, $pattern);
}
sub await_down { await("\\[warn\\] [^\n]* is down: $_[0]\n", $_[1]) }
sub await_up   { await('\[notice\] [^\n]* is up\n', $_[0]) }

# The checks that origins have received for that path.
sub checks { scalar(my @lines = received(@_)) }

prepare();
add_block_preprocessor(\&check_section);
add_test_cleanup_handler(sub { mood("$_=none") for qw(A B C) });
run_tests();

__DATA__

=== TEST 1: down after `fall` failures in a row, up again after `rise`, logged once
--- check: fall=3 rise=2 uri=/t1/x
--- init
await_up(2);
is(answers(), 'AAABBB', 'both are used');
mood('A=503');
await("\\[warn\\] [^\n]*s3_resign: origin \"$at_a\" \\($at_a\\) of upstream \"u\" is down: answered 503\n");
is(answers(), 'BBBBBB', 'A is not');
cmp_ok(scalar(grep { /^A 503 / } received('/t1')), '>=', 3, 'after three failures');
mood('A=none');
await("\\[notice\\] [^\n]*s3_resign: origin \"$at_a\" \\($at_a\\) of upstream \"u\" is up\n", 2);
is(answers(), 'AAABBB', 'A is used again');
my @after = map { /^A (\d+)/ } received('/t1');
like("@after", qr/ 503( 200){2,}$/, 'after two that passed');
is(logged('is down'), 1, 'logged once');
--- signed: GET /bucket/key

=== TEST 2: each origin is asked with its own credentials, on its own path
--- check: uri=/t2/a%20b?list-type=2&prefix=x%2Fy method=HEAD
--- http_config
    upstream tokens {
        zone tokens 64k;
        server $TEST_NGINX_C;
        s3_origin default $TEST_NGINX_CRED_C host=c.example.com addressing=virtual;
        s3_health_check bucket=t2-bucket interval=100ms;
    }
--- server: location /c { s3_resign on; proxy_pass http://tokens; }
--- init
await_up(3);
my %seen = map { /^(\w .*) HTTP/ => 1 } received('/t2');
is(join(' ', sort keys %seen),
    'A 200 verified body=0 HEAD /t2/a%20b B 200 verified body=0 HEAD /t2/a%20b', 'A and B');
like(join("\n", received('/')), qr{^C 200 verified body=0 HEAD / HTTP/1\.1$}m, 'C, with its token, virtually');
--- signed: GET /bucket/key

=== TEST 3: bucket=
--- check: bucket=t3-bucket
--- init
await_up(2);
like((received('/t3-bucket'))[0], qr{^\w 200 verified body=0 HEAD /t3-bucket HTTP/1\.1$}, 'a HEAD');
--- signed: GET /bucket/key

=== TEST 4: a revoked key is found, and its code told
--- check: fall=1 uri=/t4/x
--- init
await_up(2);
mood('B=403:InvalidAccessKeyId');
await_down('answered 403 InvalidAccessKeyId');
is(answers(), 'AAAAAA', 'B is not used');
--- signed: GET /bucket/key

=== TEST 5: expect=
--- check: fall=1 uri=/t5/x expect=2xx,404,AccessDenied,503
--- init
mood('A=403:AccessDenied');
mood('B=503');
for my $answer ('A 403', 'B 503') {
    wait_until(sub { grep(/^$answer /, received('/t5')) >= 2 }, $answer);
}
mood('A=403:InvalidAccessKeyId');
await_down('answered 403 InvalidAccessKeyId');
is(logged('is down'), 1, 'the other answers were good');
is(answers(), 'BBBBBB', 'A is not used');
--- signed: GET /bucket/key
--- answers: 503

=== TEST 6: nobody listens, from the start: one check is enough
--- check: fall=1000
--- upstream: server $TEST_NGINX_DEAD max_fails=0; s3_origin $TEST_NGINX_DEAD $TEST_NGINX_CRED_A;
--- init
await_down('connection refused');
is(answers(), 'AAABBB', 'the two others are used');
--- signed: GET /bucket/key
--- no_error_log
connect() failed

=== TEST 7: no answer in time
--- check: fall=3 timeout=500ms
--- init
await_up(2);
mood('A=delay:60');
await("\\[warn\\] [^\n]*\"$at_a\" [^\n]* is down: timed out\n");
is(answers(), 'BBBBBB', 'A is not used');
--- signed: GET /bucket/key

=== TEST 8: closed without an answer
--- check: fall=1
--- init
mood('A=close');
await_down('the connection was closed');
--- signed: GET /bucket/key
--- passed: B

=== TEST 9: an answer without an end: its head is enough
--- check: fall=1 uri=/t10/x
--- init
mood('A=flood');
await_up(2);
wait_until(sub { grep { /^A flood/ } received('/t10') }, 'a flood');
mood('A=none');
is(scalar(grep { /^A flood / } received('/t10')), 0, 'no more was read');
--- signed: GET /bucket/key

=== TEST 10: something else without an end
--- check: fall=1 uri=/t11/x
--- init
mood('A=noise');
await_down('no HTTP answer');
mood('A=none');
is(scalar(grep { /^A noise / } received('/t11')), 0, 'no more was read');
is(scalar(grep { /^A noise-stopped / } received('/t11')) > 0, 1, 'but some');
--- signed: GET /bucket/key

=== TEST 11: the backup, while all others are down
--- check: fall=1 rise=1
--- server_b: backup
--- init
await_up(2);
is(answers(), 'AAAAAA', 'A first');
mood('A=500');
await_down('answered 500');
is(answers(), 'BBBBBB', 'then B');
mood('A=none');
await_up(3);
is(answers(), 'AAAAAA', 'A again');
--- signed: GET /bucket/key

=== TEST 12: all down: all are tried, and told so once
--- check: fall=1 uri=/t13/x
--- server: location = /healthz { s3_healthz u; }
--- init
await_up(2);
mood('A=500');
mood('B=500');
await_down('answered 500', 2);
await('\[warn\] [^\n]*all origins of upstream "u" are down: all of them are tried\n');
is(answers(path => '/t13-key'), 'AAABBB', 'both are tried');
my $checks = checks('/t13');
wait_until(sub { checks('/t13') > $checks + 4 });
is(logged('are tried'), 1, 'told once');
mood('B=none');
await_up(3);
is(answers(), 'BBBBBB', 'the one that came back is used alone');
--- unsigned: GET /healthz
--- response_body
{"status":"ok"}

=== TEST 13: `down` of the configuration stays, and is not asked
--- check: fall=1 rise=1 uri=/t14/x
--- server_b: down
--- init
await_up(1);
mood('A=500');
await_down('answered 500');
is(answers(), 'AAAAAA', 'A alone is tried: it is all that there is');
mood('A=none');
await_up(2);
is(answers(), 'AAAAAA', 'B is still not used');
is(scalar(grep { /^B/ } received('/t14')), 0, 'nor asked');
--- signed: GET /bucket/key
--- passed: A

=== TEST 14: with least_conn
--- check: fall=1 rise=1
--- upstream: least_conn;
--- init
mood('A=500');
await_down('answered 500');
is(answers(), 'BBBBBB', 'least_conn');
--- signed: GET /bucket/key

=== TEST 15: with hash
--- check: fall=1 rise=1
--- upstream: hash $request_uri consistent;
--- init
mood('A=500');
await_down('answered 500');
is(join('', map { ask(path => "/bucket/$_")->{headers}{'x-origin'} } 1 .. 8), 'BBBBBBBB', 'hash');
--- signed: GET /bucket/key

=== TEST 16: one worker asks, not each
--- check: interval=300ms fall=1 rise=1 uri=/t17/x
--- init
await_up(2);
my ($before, $began) = (checks('/t17'), time);
wait_until(sub { checks('/t17') >= $before + 8 }, 'four checks of each');
my $checks = checks('/t17') - $before;
cmp_ok($checks, '<=', 4 + 2 * (time - $began) / 0.3, 'two origins, once in 0.3 s each');
for my $change (1 .. 4) {
    mood('A=500');
    await_down('answered 500', $change);
    mood('A=none');
    await_up(2 + $change);
}
my %workers = map { $_ => 1 } slurp('logs/error.log') =~ /(\d+)#\d+: s3_resign: origin .* is (?:up|down)/g;
is(scalar(keys %workers), 1, 'by one worker');
--- signed: GET /bucket/key

=== TEST 17: the worker that asks is killed: another goes on, and what is known stays
--- check: fall=1 uri=/t18/x
--- init
await_up(2);
mood('A=500');
await_down('answered 500');
for my $worker (slurp('logs/error.log') =~ /start worker process (\d+)/g) {
    my $exited = logged("worker process \\d+ exited on signal 9");
    kill KILL => $worker;
    wait_until(sub { logged("worker process \\d+ exited on signal 9") > $exited });
    is(answers(), 'BBBBBB', 'A is not used');
    my $checks = checks('/t18');
    wait_until(sub { checks('/t18') > $checks + 2 });
}
is(logged('is down'), 1, 'and nothing is told again');
mood('A=none');
await_up(3);
is(answers(), 'AAABBB', 'the next one sees that it is up');
--- signed: GET /bucket/key
--- error_log
[alert]
exited on signal 9

=== TEST 18: a reload: what is known holds before anyone is asked again
--- check: fall=1 rise=1000 uri=/t19/x
--- init
mood('A=500');
await_down('answered 500');
mood('A=none');
# from now on there are no checks for a day, so that none can help
reload(sub { s/interval=100ms/interval=1d/ });
is(answers(), 'BBBBBB', 'A is not used after a reload');
reload(sub { s/(server $at_b max_fails=0)/$1 weight=2/ });
is(answers(), 'BBBBBB', 'nor after another');
reload(sub { s/upstream u/upstream other { zone other 64k; server 127.0.0.1:1; s3_origin default access_key=a secret_key=b; }\nupstream u/ });
is(answers(), 'BBBBBB', 'nor with another upstream beside it');
is(logged('is down'), 1, 'told once');
--- signed: GET /bucket/key

=== TEST 19: reloads again and again: the checks go on
--- check: fall=1 rise=1 uri=/t20/x
--- init
await_up(2);
reload(undef, 5);
my $checks = checks('/t20');
wait_until(sub { checks('/t20') > $checks + 5 });
mood('A=500');
await_down('answered 500');
reload(undef, 2);
mood('A=none');
await_up(3);
is(answers(), 'AAABBB', 'both are used');
--- signed: GET /bucket/key

=== TEST 20: a reload without the check: all are used
--- check: fall=1
--- init
mood('A=500');
await_down('answered 500');
reload(sub { s/s3_health_check[^;]*;// });
is(answers(), 'AAABBB', 'both are used');
--- signed: GET /bucket/key
--- error_code_like: ^(?:200|500)$

=== TEST 21: nginx is told to stop while checks wait for an answer
--- check: timeout=1m uri=/t22/x
--- init
mood('A=delay:60');
mood('B=delay:60');
wait_until(sub { open_at_origins('/t22') >= 2 }, 'a check of each');
mood('B=none');
--- unsigned: GET /nowhere
--- answers: 403

=== TEST 22: an origin that is up again is not kept off by max_fails
--- http_config eval: http('fall=1 rise=1') =~ s/max_fails=0/max_fails=1 fail_timeout=1h/gr
--- config eval: $on =~ s/proxy_pass/proxy_next_upstream http_500; proxy_pass/r
--- init
await_up(2);
mood('A=500');
is(answers(), 'BBBBBB', 'B answers for A');
await_down('answered 500');
mood('A=none');
await_up(3);
like(answers(), qr/AB/, 'both are used');
--- signed: GET /bucket/key

=== TEST 23: in s3_status
--- check: fall=1 rise=1
--- server: location = /status { s3_status; }
--- init
await_up(2);
mood('B=403:InvalidAccessKeyId');
await_down('answered 403 InvalidAccessKeyId');
--- unsigned: GET /status?format=json
--- response_body_like eval
my ($time, $some) = ('[1-9]\d{9}', '[1-9]\d*');
qr/"health":\[\{"upstream":"u","status":"ok","addresses":\[
    (?=.*"server":"\Q$at_a\E","address":"\Q$at_a\E","state":"up","since":$time,"last_check":$time,"took_ms":\d+,
        "failure":"","passed":$some,"failed":0,
        "changes":\[\{"time":$time,"state":"up","failure":""\}\]\})
    .*"server":"\Q$at_b\E","address":"\Q$at_b\E","state":"down","since":$time,"last_check":$time,"took_ms":\d+,
        "failure":"answered\ 403\ InvalidAccessKeyId","passed":$some,"failed":$some,
        "changes":\[\{"time":$time,"state":"down","failure":"answered\ 403\ InvalidAccessKeyId"\},
                    \{"time":$time,"state":"up","failure":""\}\]\}/x

=== TEST 24: rejected: an unknown parameter
--- check: colour=red
--- does_not_start: "s3_health_check": unknown parameter "colour".*"interval=".*"expect="

=== TEST 25: rejected: a parameter twice
--- check: rise=1 rise=2
--- does_not_start: "s3_health_check": "rise=" is duplicate

=== TEST 26: rejected: twice
--- check:
--- upstream: s3_health_check;
--- does_not_start: "s3_health_check" is duplicate: keep one line in each upstream

=== TEST 27: rejected: an interval that is none
--- check: interval=fast
--- does_not_start: "interval=fast" is not such a time: write one from "100ms" to "1d"

=== TEST 28: rejected: an interval that is too short
--- check: interval=99ms
--- does_not_start: "interval=99ms" is not such a time

=== TEST 29: rejected: a timeout that is too long
--- check: timeout=2d
--- does_not_start: "timeout=2d" is not such a time

=== TEST 30: rejected: rise=0
--- check: rise=0
--- does_not_start: "rise=0" is not a number of checks: write one from 1 to 1000

=== TEST 31: rejected: fall=-1
--- check: fall=-1
--- does_not_start: "fall=-1" is not a number of checks

=== TEST 32: rejected: fall=1001
--- check: fall=1001
--- does_not_start: "fall=1001" is not a number of checks

=== TEST 33: rejected: method=PUT
--- check: method=PUT
--- does_not_start: "method=PUT" is neither "GET" nor "HEAD"

=== TEST 34: rejected: a path without its slash
--- check: uri=a
--- does_not_start: "uri=a" is not a path: write it with a slash in front and percent-encoded

=== TEST 35: rejected: a path with a space
--- check: "uri=/a b"
--- does_not_start: "uri=/a b" is not a path

=== TEST 36: rejected: a path with a bad escape
--- check: uri=/%zz
--- does_not_start: "s3_health_check" in upstream "u" cannot be signed for "\Q$at_a\E".*write another "uri="

=== TEST 37: rejected: bucket= and uri=
--- check: bucket=b uri=/x
--- does_not_start: "bucket=" is a "HEAD" of that bucket: remove "method=" and "uri="

=== TEST 38: rejected: a bucket that is none
--- check: bucket=a/b
--- does_not_start: "bucket=a/b" is not the name of a bucket

=== TEST 39: rejected: a bucket that cannot be a host's name
--- http_config eval: http('bucket=A_b') =~ s/(s3_origin $at_b [^;]*)/$1 addressing=virtual host=a.example/r
--- config eval: $on
--- does_not_start: "s3_health_check" in upstream "u" cannot be signed for "\Q$at_b\E".*"bucket="

=== TEST 40: rejected: expect= without sense
--- check: expect=2xx,ok
--- does_not_start: "expect=2xx,ok" is not a list of statuses and error codes: write "2xx", "200,404", "2xx,AccessDenied" or the like

=== TEST 41: rejected: without a zone
--- http_config eval: http('') =~ s/zone u 64k;//r
--- config eval: $on
--- does_not_start: "s3_health_check" in upstream "u" needs shared memory.*add "zone u 256k;"

=== TEST 42: rejected: without an origin
--- http_config eval: 'upstream u { zone u 64k; server 127.0.0.1:1; s3_health_check; }'
--- config eval: ''
--- does_not_start: "s3_health_check" in upstream "u" has no "s3_origin" to sign with: add one

=== TEST 43: rejected: nothing passes requests to it
--- check:
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign off; proxy_pass http://u; }
--- does_not_start: "s3_health_check" in upstream "u": no location with "s3_resign on" passes requests to it.*add one

=== TEST 44: rejected: more addresses than are looked after
--- http_config eval
'upstream u { zone u 128k; s3_origin default access_key=a secret_key=b; s3_health_check;' . join('', map {"server 127.0.1.$_;"} 1 .. 65) . '}'
--- config eval: $on
--- does_not_start: "s3_health_check" in upstream "u": its servers have more than 64 addresses

=== TEST 45: as many as that
--- http_config eval
'upstream u { zone u 128k; s3_origin default access_key=a secret_key=b; s3_health_check interval=1d;' . join('', map {"server 127.0.1.$_;"} 1 .. 64) . '}'
--- config eval: $on
--- unsigned: GET /bucket/key
--- answers: 403

=== TEST 46: an answer that would be tried elsewhere, where there is nobody left to try
--- check: fall=1
--- server: proxy_next_upstream http_403 http_500;
--- init
mood('B=500');
await_down('answered 500');
--- signed: 2x GET /bucket/key mock=A=403:AccessDenied
--- answers: 2x 403 AccessDenied

=== TEST 47: a key is revoked: until the checks find it, requests go to the next origin
--- check: interval=1d
--- server: proxy_next_upstream error timeout http_403;
--- init
await_up(2);
mood('A=403:InvalidAccessKeyId');
is(answers(), 'BBBBBB', 'B answers GET');
is(answers(method => 'PUT', body => 'hello'), 'BBBBBB', 'and PUT');
--- signed: GET /bucket/key mock=B=403:AccessDenied
--- answers: 403

=== TEST 48: a server that is gone after a reload is forgotten
--- check: fall=1
--- server: location = /status { s3_status; }
--- init
await_up(2);
mood('B=500');
await_down('answered 500');
reload(sub { s/(upstream u \{.*?)server $at_b max_fails=0 ;(.*?)s3_origin ${at_b}[^;]*;/$1$2/s });
wait_until(sub { HTTP::Tiny->new->get("http://127.0.0.1:$ENV{TEST_NGINX_PORT}/status?format=json")->{content} !~ /"health".*\Q$at_b\E/ }, 'B to be forgotten');
# and is a new one when it comes back
mood('B=none');
reload(sub { s/(upstream u \{)/$1 server $at_b max_fails=0; s3_origin $at_b $ENV{TEST_NGINX_CRED_B};/ });
await_up(3);
--- unsigned: GET /status?format=json
--- answers: 200 "health":.*"address":"\Q$at_b\E","state":"up"

=== TEST 49: checks that were taken out and put in again know nothing of before
--- check: fall=1 rise=1000
--- http_config
    upstream other {
        zone other 64k;
        server 127.0.0.1:1;
        s3_origin default access_key=a secret_key=b;
        s3_health_check;
    }
--- server
    location /other/ { s3_resign on; proxy_pass http://other; }
    location = /status { s3_status; }
--- init
await_up(2);
mood('A=500');
await_down('answered 500');
mood('A=none');
my $check;
reload(sub { s/interval=100ms/interval=1d/ and s/(s3_health_check interval=1d[^;]*;)// and $check = $1 });
is(answers(), 'AAABBB', 'both are used without');
reload(sub { s/(upstream u \{)/$1 $check/ });
await_up(4);
is(answers(), 'AAABBB', 'and with checks again');
--- unsigned: GET /status?format=json
--- answers: 200 "address":"\Q$at_a\E","state":"up",[^{]*"passed":1,"failed":0,"changes":\[[^,]*,"state":"up","failure":""\}\]

=== TEST 50: a shorter interval holds at once
--- check: interval=1d fall=1
--- init
await_up(2);
reload(sub { s/interval=1d/interval=100ms/ });
mood('A=500');
await_down('answered 500');
--- signed: GET /bucket/key
--- passed: B

=== TEST 51: rejected: an error code of answers that have none
--- check: bucket=b expect=2xx,AccessDenied
--- does_not_start: "s3_health_check": "expect=2xx,AccessDenied" names an error code, and the answer to a HEAD has none: write its status instead, as 403
