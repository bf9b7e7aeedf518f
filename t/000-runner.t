# The runner itself: right blocks pass, and for each check there is a block that
# breaks just that one, which must be reported as "not ok" with the right words.
# Always run against the project's own runner.

use strict;
use warnings;

use FindBin;
use File::Temp qw(tempdir);
use Test::More;

my $port = ($ENV{TEST_NGINX_PORT} || 21000) + 90;
my $dir  = tempdir(CLEANUP => 1);

my ($exit, $out) = run_child(<<'END');
=== TEST 1: static page
--- config
    location = /x { return 200 "abc $arg_n $http_x_one\n"; }
--- request
GET /x?n=1
--- more_headers
X-One: two
--- response_headers
Content-Type: text/plain
!X-None
--- response_headers_like
Content-Length: \d+
--- raw_response_headers_like: HTTP/1\.1 200 OK
--- raw_response_headers_unlike: X-None
--- response_body
abc 1 two
--- no_error_log
[error]

=== TEST 2: several requests, eval, chomp
--- config
    location = /x { return 201 "$request_method|$request_uri"; }
    location = /y { return 404; }
--- request eval
["GET /x", "HEAD /x", "GET /y"]
--- error_code eval
[201, 201, 404]
--- response_body_like eval
['^GET\|/x$', '^$', qr/404 Not Found/]

=== TEST 3: pipelined
--- config
    location / { return 200 "$uri $http_x"; }
--- pipelined_requests eval
["GET /1", "GET /2", "GET /3"]
--- more_headers eval
["X: a", "X: b", "X: c"]
--- response_body eval
["/1 a", "/2 b", "/3 c"]

=== TEST 4: raw request in packets with a delay
--- config
    location / { return 200 "$uri"; }
--- raw_request eval
["GET /ra", "w HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"]
--- raw_request_middle_delay: 0.01
--- response_body chomp
/raw

=== TEST 5: a peer, its query, a body in packets
--- config
    location / {
        proxy_pass http://127.0.0.1:$TEST_NGINX_PEER;
        proxy_http_version 1.1;
        proxy_set_header Host $proxy_host;
        proxy_set_header Connection close;
    }
--- request eval
[["PUT /k\nhe", { value => "llo", delay_before => 0.01 }]]
--- tcp_listen: $TEST_NGINX_PEER
--- tcp_reply eval
"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n3\r\nfoo\r\n0\r\n\r\n"
--- tcp_query eval
"PUT /k HTTP/1.1\r\nHost: 127.0.0.1:$ENV{TEST_NGINX_PEER}\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello"
--- tcp_query_len: 85
--- response_body chomp
foo

=== TEST 6: must die, with the reason
--- config
    no_such_directive;
--- must_die
--- error_log
unknown directive "no_such_directive"
[emerg]

=== TEST 7: logs
--- http_config
    log_format short '$uri $status';
--- config
    access_log logs/access.log short;
    location / { error_log logs/error.log info; return 400 "$uri"; }
    location /missing { root html; }
--- request
GET /missing
--- error_code: 404
--- error_log eval
qr/open\(\) .* failed/
--- grep_error_log eval: qr/No such file/
--- grep_error_log_out
No such file
--- access_log
/missing 404
--- no_access_log
200

=== TEST 8: files, skipped blocks, a client that gives up
--- config
    location / { root html; }
--- user_files
>>> a/b.txt
from a file
--- request
GET /a/b.txt
--- response_body
from a file

=== TEST 9: skipped by version
--- config
--- request
GET /
--- skip_nginx: 2: > 1.0.0: too new

=== TEST 10: skipped by code
--- config
--- request
GET /
--- skip_eval: 3: 1 + 1 == 2

=== TEST 11: a client that gives up
--- config
    location / { proxy_pass http://127.0.0.1:$TEST_NGINX_PEER; }
--- request
GET /
--- tcp_listen: $TEST_NGINX_PEER
--- tcp_reply:
--- tcp_no_close
--- timeout: 100ms
--- abort
--- ignore_response

=== TEST 12: left out
--- config
    broken
--- SKIP
END
is($exit, 0, 'right blocks: exit status') or diag($out);
unlike($out, qr/^not ok/m, 'right blocks: nothing fails');
for my $test (1 .. 11) {
    like($out, qr/^ok \d+ .*TEST $test:/m, "right blocks: TEST $test ran")
        if $test != 11;
}
like($out, qr/^ok \d+ # skip .*TEST 9: .*too new/m,   'skip_nginx skips');
like($out, qr/(?:^ok \d+ # skip .*TEST 10: .*\n){3}/m, 'skip_eval skips as many as said');
unlike($out, qr/TEST 12/, 'SKIP leaves a block out');

# Each block breaks one check; what the report must say.
my @broken = (
    ['status code' => <<'END', qr/status code/],
--- config
    location / { return 200; }
--- request
GET /
--- error_code: 201
END
    ['default status' => <<'END', qr/status code/],
--- config
    location / { return 404; }
--- request
GET /
END
    ['body' => <<'END', qr/response body/],
--- config
    location / { return 200 "ab\ncd\n"; }
--- request
GET /
--- response_body
ab
ce
END
    ['body pattern' => <<'END', qr/response body like/],
--- config
    location / { return 200 "ab"; }
--- request
GET /
--- response_body_like: ^b
END
    ['header' => <<'END', qr/header X/],
--- config
    location / { add_header X 1; return 200; }
--- request
GET /
--- response_headers
X: 2
END
    ['missing header' => <<'END', qr/header X/],
--- config
    location / { return 200; }
--- request
GET /
--- response_headers_like
X: .+
END
    ['unwanted header' => <<'END', qr/no header X/],
--- config
    location / { add_header X 1; return 200; }
--- request
GET /
--- response_headers
!X
END
    ['raw headers like' => <<'END', qr/raw response headers like/],
--- config
    location / { return 200; }
--- request
GET /
--- raw_response_headers_like: X: 1
END
    ['raw headers unlike' => <<'END', qr/raw response headers unlike/],
--- config
    location / { return 200; }
--- request
GET /
--- raw_response_headers_unlike: Content-Type
END
    ['second of two requests' => <<'END', qr/response body/],
--- config
    location / { return 200 "$uri"; }
--- request eval
["GET /1", "GET /2"]
--- response_body eval
["/1", "/3"]
END
    ['error_log' => <<'END', qr/matches a line in error\.log/],
--- config
    location / { return 200; }
--- request
GET /
--- error_log
never said
END
    ['no_error_log' => <<'END', qr/matches no line in error\.log/],
--- config
    location / { root html; }
--- request
GET /none
--- error_code: 404
--- no_error_log
No such file
END
    ['grep_error_log_out' => <<'END', qr/grep_error_log_out/],
--- config
    location / { root html; }
--- request
GET /none
--- error_code: 404
--- grep_error_log: No such file
--- grep_error_log_out
No such file
No such file
END
    ['access_log' => <<'END', qr/matches a line in access\.log/],
--- config
    location / { return 200; }
--- request
GET /
--- access_log
POST /
END
    ['must_die lives' => <<'END', qr/must die but it runs/],
--- config
    location / { return 200; }
--- must_die
END
    ['must_die for another reason' => <<'END', qr/matches a line in error\.log/],
--- config
    no_such_directive;
--- must_die
--- error_log
another reason
END
    ['does not start' => <<'END', qr/did not start/],
--- config
    no_such_directive;
--- request
GET /
END
    ['client timeout' => <<'END', qr/timed out/],
--- config
    location / { proxy_pass http://127.0.0.1:$TEST_NGINX_PEER; }
--- request
GET /
--- tcp_listen: $TEST_NGINX_PEER
--- tcp_reply:
--- tcp_no_close
--- timeout: 0.1
--- ignore_response
END
    ['tcp_query' => <<'END', qr/tcp_query/],
--- config
    location / { proxy_pass http://127.0.0.1:$TEST_NGINX_PEER; }
--- request
GET /
--- tcp_listen: $TEST_NGINX_PEER
--- tcp_reply eval: "HTTP/1.0 200 OK\r\n\r\n"
--- tcp_query: something else
END
    ['truncated body' => <<'END', qr/truncated/],
--- config
    location / { proxy_pass http://127.0.0.1:$TEST_NGINX_PEER; }
--- request
GET /
--- tcp_listen: $TEST_NGINX_PEER
--- tcp_reply eval: "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc"
END
    ['worker crash' => <<'END', qr/exited on signal/],
--- config
    location / { return 200; }
--- init
    chomp(my $master = `cat $ENV{TEST_NGINX_SERVROOT}/logs/nginx.pid`);
    my $worker;
    until ($worker) {
        Time::HiRes::sleep(0.01);
        ($worker) = split ' ', `cat /proc/$master/task/$master/children`;
    }
    kill KILL => $worker;
    for (1 .. 1000) {
        last if `cat $ENV{TEST_NGINX_SERVROOT}/logs/error.log` =~ /exited on signal/;
        Time::HiRes::sleep(0.01);
    }
--- request
GET /
END
    map {
        my $line = $_;
        ["log line $line" => <<"END", qr/error\.log has: .*\Q$line\E/];
--- config
    location / { return 200; }
--- init
    open my \$log, '>>', "\$ENV{TEST_NGINX_SERVROOT}/logs/error.log";
    print \$log "2026/01/01 00:00:00 $line\\n";
--- request
GET /
END
    } '[alert] 1#1: x', '[emerg] 1#1: x', '[crit] 1#1: x',
    "thread panicked at 'x'", '[notice] open socket #3 left in connection 4',
    '==1==ERROR: LeakSanitizer: x',
);

my $all = '';
$all .= "=== TEST $_: $broken[$_][0]\n$broken[$_][1]\n" for 0 .. $#broken;
($exit, $out) = run_child($all);
isnt($exit, 0, 'wrong blocks: exit status');
for my $i (0 .. $#broken) {
    like($out, qr/^not ok \d+ - TEST $i: .*$broken[$i][2]/m, "fails as it must: $broken[$i][0]")
        or diag($out =~ /^((?:not )?ok \d+ - TEST $i:.*(?:\n#.*)*)/m ? $1 : 'no result');
}

like($out, qr/line 2 differs\n#\s+got:\s+cd\\n\n#\s+expected: ce\\n/, 'a wrong body is shown line by line');
like($out, qr/the end of error\.log/, 'the error log is shown');

done_testing();

sub run_child {
    my $blocks = shift;

    my $file = "$dir/child.t";
    open my $fh, '>', $file or die $!;
    print $fh <<'END', $blocks;
use Test::Nginx::Socket 'no_plan';
no_root_location();
run_tests();
__DATA__

END
    close $fh;
    local %ENV = (
        %ENV,
        TEST_NGINX_PORT         => $port,
        TEST_NGINX_PEER         => $port + 1,
        TEST_NGINX_SERVROOT     => "$dir/root",
        TEST_NGINX_LOAD_MODULES => '',
    );
    delete @ENV{qw(TEST_NGINX_SERVER_PORT HARNESS_ACTIVE)};
    my $out = `$^X -I$FindBin::Bin/lib $file 2>&1`;
    return ($?, $out =~ s/\\#/#/gr);
}
