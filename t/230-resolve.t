# The addresses of a `server ... resolve` change: requests and checks follow.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use File::Temp qw(tempfile);
use IO::Socket::INET;
use S3Test ':running';
use Test::Nginx::Socket 'no_plan';

my $dns = "127.0.0.1:$ENV{TEST_NGINX_SPARE}";
my ($unused, $addresses) = tempfile(UNLINK => 1);
resolve_to('127.0.0.1');
my $name_server = serve();
END {
    my $status = $?;
    if ($name_server) { kill TERM => $name_server; waitpid $name_server, 0 }
    $? = $status;
}

# What every name stands for from now on.
sub resolve_to {
    open my $out, '>', "$addresses.new" or die $!;
    print $out join(' ', @_);
    close $out;
    rename "$addresses.new", $addresses or die $!;
}

# A name server (RFC 1035) that knows addresses of IPv4, each for a second.
sub serve {
    my $socket = IO::Socket::INET->new(Proto => 'udp', LocalAddr => $dns) or die "$dns: $!";
    my $child = fork // die "fork: $!";
    return $child if $child;
    while ($socket->recv(my $query, 512)) {
        open my $in, '<', $addresses or next;
        my @addresses = split ' ', <$in> // '';
        my ($id, $question) = unpack 'n x10 a*', $query;
        $socket->send(pack('n6', $id, 0x8180, 1, scalar @addresses, 0, 0) . $question
            . join '', map { pack 'n3 N n C4', 0xc00c, 1, 1, 1, 4, split /\./ } @addresses);
    }
}

# Asks until the answer is like that; all statuses that there were on the way.
sub statuses_until {
    my $holds = shift;
    my %statuses;
    wait_until(sub {
        my $answer = ask();
        $statuses{ $answer->{status} } = 1;
        my ($address) = ($answer->{headers}{'x-upstream'} // '') =~ /([0-9.]+):\d+$/;
        return $holds->($answer->{status}, $address // '');
    });
    return join ' ', sort keys %statuses;
}

prepare();
run_tests();

__DATA__

=== TEST 1: an address changes, one without an origin joins, all are dead, one is well again
--- skip_nginx: 2: < 1.27.3: servers with resolve came with 1.27.3
--- http_config
    resolver 127.0.0.1:$TEST_NGINX_SPARE valid=1s ipv6=off;
    upstream u {
        zone u 64k;
        server origin.test:$TEST_NGINX_PORT_B resolve max_fails=0;
        s3_origin default $TEST_NGINX_CRED_B;
        s3_health_check interval=100ms uri=/t230/x;
    }
--- config
    $TEST_NGINX_CLIENT
    location / {
        s3_resign on;
        proxy_pass http://u;
        add_header X-Upstream $upstream_addr always;
    }
--- init
statuses_until(sub { $_[1] eq '127.0.0.1' });
resolve_to('127.0.0.2');
is(statuses_until(sub { $_[1] eq '127.0.0.2' }), '200', 'no request fails when the address changes');

resolve_to('127.0.0.2', '127.0.0.3');
my $dead = qr/\(127\.0\.0\.3:\d+\) of upstream "u" is down: connection refused/;
is(statuses_until(sub { logged($dead) }), '200', 'nor when one joins that is dead');
is(join(' ', map { ask()->{headers}{'x-upstream'} } 1 .. 3),
    join(' ', ("127.0.0.2:$ENV{TEST_NGINX_PORT_B}") x 3), 'which is found and left alone');

resolve_to('127.0.0.3');
statuses_until(sub { $_[0] == 502 });
resolve_to('127.0.0.1');
statuses_until(sub { $_[0] == 200 && $_[1] eq '127.0.0.1' });
--- signed: GET /bucket/key
--- answers: 200
