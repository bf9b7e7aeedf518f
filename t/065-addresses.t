# Several addresses behind one server name: each is a peer of its own, signed for
# with the name's origin. The name comes from a hosts file of the test's own, in a
# mount namespace; where that is not allowed, all is skipped.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Temp qw(tempdir);
use S3Test ':running';

my $allowed;

# Before the runner is loaded, which asks for the binary then.
BEGIN {
    my $dir   = tempdir(CLEANUP => 1);
    my $nginx = $ENV{TEST_NGINX_BINARY} || 'nginx';
    my %files = (
        hosts => "127.0.0.1 localhost\n127.0.0.1 two.example.com\n127.0.0.2 two.example.com\n"
            . "127.0.0.1 half.example.com\n127.0.0.3 half.example.com\n",
        nginx => "#!/bin/sh\nexec unshare -m sh -c 'mount --bind $dir/hosts /etc/hosts"
            . " && exec \"\$0\" \"\$@\"' $nginx \"\$@\"\n",
    );
    for my $name (keys %files) {
        open my $out, '>', "$dir/$name" or die $!;
        print $out $files{$name};
        close $out;
        chmod 0755, "$dir/$name";
    }
    $ENV{TEST_NGINX_BINARY} = "$dir/nginx";
    $allowed = $> == 0 && system("$dir/nginx -v >/dev/null 2>&1") == 0;
}
use Test::Nginx::Socket;

plan($allowed ? 'no_plan' : (skip_all => 'no mount namespaces here'));

sub two {
    my $lines = shift;
    return <<"END";
    upstream two {
        server two.example.com:$ENV{TEST_NGINX_PORT_B};
        s3_origin two.example.com:$ENV{TEST_NGINX_PORT_B} $ENV{TEST_NGINX_CRED_B};
        $lines
    }
END
}

$ENV{TEST_NGINX_TWO} = <<"END";
    $ENV{TEST_NGINX_CLIENT}
    location / { s3_resign on; proxy_pass http://two; proxy_http_version 1.1; proxy_set_header Connection ""; }
END

prepare();
run_tests();

__DATA__

=== TEST 1: both addresses, in turn
--- http_config eval: two('')
--- config
$TEST_NGINX_TWO
    add_header X-Upstream $upstream_addr;
--- signed: 2x GET /bucket/key
--- answers: 2x 200 ^origin B\nverified yes.*header [Hh]ost: two\.example\.com:\d+\n
--- response_headers_like eval
["X-Upstream: 127\\.0\\.0\\.1:$ENV{TEST_NGINX_PORT_B}", "X-Upstream: 127\\.0\\.0\\.2:$ENV{TEST_NGINX_PORT_B}"]

=== TEST 2: with a zone and keepalive
--- http_config eval: two('zone two 64k; keepalive 4;')
--- config
$TEST_NGINX_TWO
--- signed: 4x GET /bucket/key
--- answers
2x 200 verified yes.*request 1\n
2x 200 verified yes.*request 2\n

=== TEST 3: from one address to the other
--- http_config eval: two('')
--- config
$TEST_NGINX_TWO
--- signed
PUT /t3/key body=hello mock=B=drop
unsigned GET /_log/t3
--- answers
502 InternalError
200 ^B drop [^\n]+ PUT [^\n]+\nB drop [^\n]+ PUT [^\n]+\n$

=== TEST 4: proxy_pass to the name
--- config eval
"$ENV{TEST_NGINX_CLIENT} location / { s3_resign on; s3_origin $ENV{TEST_NGINX_CRED_B}; proxy_pass http://two.example.com:$ENV{TEST_NGINX_PORT_B}; }"
--- signed: 2x GET /bucket/key
--- answers: 2x 200 ^origin B\nverified yes.*header [Hh]ost: two\.example\.com:\d+\n

=== TEST 5: beside another server, with hash
--- http_config eval
two("hash \$request_uri; server $ENV{TEST_NGINX_A}; s3_origin $ENV{TEST_NGINX_A} $ENV{TEST_NGINX_CRED_A};")
--- config
$TEST_NGINX_TWO
--- signed
GET /bucket/1
GET /bucket/2
GET /bucket/3
GET /bucket/4
GET /bucket/5
GET /bucket/6
GET /bucket/7
GET /bucket/8
--- answers: 8x 200 verified yes

=== TEST 6: each address has a health of its own
--- http_config
    upstream half {
        zone half 64k;
        server half.example.com:$TEST_NGINX_PORT_B max_fails=0;
        s3_origin half.example.com:$TEST_NGINX_PORT_B $TEST_NGINX_CRED_B;
        s3_health_check interval=100ms fall=1;
    }
--- config
    $TEST_NGINX_CLIENT
    location / { s3_resign on; proxy_pass http://half; proxy_next_upstream off; }
--- init
wait_until(sub { logged('\[warn\] .*origin "half\.example\.com:\d+" \(127\.0\.0\.3:\d+\) .* is down: connection refused') });
wait_until(sub { logged('\[notice\] .*origin "half\.example\.com:\d+" \(127\.0\.0\.1:\d+\) .* is up') });
--- signed: 4x GET /bucket/key
--- answers: 4x 200
