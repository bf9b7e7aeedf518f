# What follows a rejection on the same connection: the next request gets its own
# answer, or the connection is closed and the answer has said so. Whatever was
# announced as a body and withheld must not be made up for by that request.

use FindBin;
BEGIN { push @INC, "$FindBin::Bin/lib" }
use S3Test;
use IO::Select;
use IO::Socket::INET;
use Time::HiRes qw(time);
use Test::Nginx::Socket 'no_plan';

our %reader = reader();

# ------------------------------------------------------------ the rejected ones

# How each is made from a body, by its name: the status of the answer, the target's first segment,
# where the decision is made, and what is signed, or a sub that gives the header lines and the body.
#   head    by the head alone
#   nginx   by the head alone, and nginx closes the connection of its own accord
#   body    by the body
#   origin  by the origin, or for want of one
#   whole   likewise, once it has the whole body
our @requests = (
    ['accepted',            200, 'bucket',  'whole'],
    # rejections by the head
    ['wrong signature',     403, 'bucket',  'head', tamper => 1],
    ['unknown key',         403, 'bucket',  'head', key => 'AKIDNOBODY'],
    ['denied by its grant', 403, 'granted', 'head', %reader],
    ['malformed header',    400, 'bucket',  'head', edit => sub { 'AWS4-HMAC-SHA256 nonsense' }],
    ['skewed',              403, 'bucket',  'head', skew => -9000],
    ['no signature',        403, 'bucket',  'head', edit => sub { 'Bearer x' }],
    ['unknown payload',     400, 'bucket',  'head', payload => 'STREAMING-NOTHING'],
    ['InvalidURI',          400, 'bucket',  'head', query => '%zz'],
    ['no method of S3',     405, 'bucket',  'head', method => 'PATCH'],
    ['a reserved name',     403, 'minio',   'head'],
    ['s3proxy style',       403, 'style',   'head', tamper => 1],
    ['s3proxy style, 400',  400, 'style',   'head', key => 'AKIDNOBODY'],
    ['expired',             403, 'bucket',  'head', \&presigned, date => '20200101T000000Z'],
    ['not a form',          400, 'bucket',  'head', \&form, content_type => 'multipart/form-data'],
    ['a form to a key',     405, 'bucket/key', 'head', \&form],
    # of nginx itself
    ['deny',                403, 'deny',    'head'],
    ['return',              503, 'return',  'head'],
    ['an error page',       200, 'page',    'head'],
    ['another status',      418, 'teapot',  'head'],
    ['too large',           400, 'small',   'nginx'],
    ['no path',             400, 'bucket/%zz', 'nginx'],
    # of what is no S3 location
    ['s3_status, PUT',      405, 'status',  'head', \&plain],
    ['s3_status, GET',      200, 'status',  'head', \&plain, method => 'GET'],
    ['s3_healthz, PUT',     405, 'healthz', 'head', \&plain],
    ['s3_healthz, GET',     200, 'healthz', 'head', \&plain, method => 'GET'],
    # rejections by the body
    ['bad chunk',           403, 'bucket',  'body', \&upload_framed, spoil => 0],
    ['bad trailer',         400, 'bucket',  'body', \&upload_framed, kind => 'unsigned', spoil_checksum => 'x'],
    ['not the payload',     400, 'hash',    'body', payload => 'a' x 64],
    ['bad form',            403, 'bucket',  'body', \&form, tamper => 1],
    ['a form too long',     400, 'bucket',  'body', \&form, more => [['content-length-range', 0, 2]]],
    # of the origin, early and in the middle
    (map { ["the origin says $_ early", "$_|502", 'bucket', 'origin', mock => "early:$_"] } 200, 403, 412),
    ['the origin says 403', 403, 'bucket',  'whole', mock => '403'],
    ['the origin drops it', 502, 'bucket',  'whole', mock => 'drop'],
    ['the origin closes',   502, 'bucket',  'origin', mock => 'close'],
    ['and in the middle',   502, 'bucket',  'origin', mock => 'partial:10'],
    ['a dead origin',       502, 'dead',    'origin'],
    ['a redirect to it',    502, 'bucket',  'origin', mock => "redirect:http://$ENV{TEST_NGINX_A}/x"],
);

sub presigned {
    my %o = @_;
    my $target = S3Sign::v4_target(%o);
    return ($target, S3Sign::v4_target_headers(%o), $o{body});
}

sub plain { my %o = @_; return ($o{path}, "Host: localhost\n", $o{body}) }

sub form {
    my %o = @_;
    return ($o{path}, S3Sign::v4_form(%o, file => $o{body}));
}

sub upload_framed {
    my %o = @_;
    return ($o{path}, S3Sign::v4_upload(data => $o{body}, size => 1000, %o));
}

# The head of a request and its body, as they go over the wire.
sub request {
    my ($case, $how, $number) = @_;

    my (undef, undef, $segment, undef, @options) = @$case;
    my $make = ref $options[0] eq 'CODE' ? shift @options : undef;
    # Whoever takes it for a request gets an answer too many.
    my $body = substr "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n" x (1 + $how->{size} / 35), 0, $how->{size};
    my %o = (method => 'PUT', @options, body => $body);
    $o{method} = 'POST' if $make && $make == \&form;
    $o{path} = $make && $make == \&form ? "/$segment" : "/$segment/$number";
    my ($target, $headers) = ($o{query} ? "$o{path}?$o{query}" : $o{path}, '');
    if ($make) { ($target, $headers, $body) = $make->(%o) }
    else       { $headers = S3Sign::v4_headers(%o) }
    $headers =~ s/^(?:Content-Length|Transfer-Encoding): .*\n//m;
    $headers .= $how->{chunked} ? "Transfer-Encoding: chunked\n" : 'Content-Length: ' . length($body) . "\n";
    $body = join '', map({ sprintf "%x\r\n%s\r\n", length, $_ } unpack '(a3000)*', $body), "0\r\n\r\n"
        if $how->{chunked};
    $headers .= "Expect: 100-continue\n"    if $how->{expect};
    $headers .= "Connection: keep-alive\n"  if $how->{version} eq '1.0';
    $headers .= "X-Mock: A=$o{mock}\n"      if $o{mock};
    return (crlf("$o{method} $target HTTP/$how->{version}\n$headers\n"), $body);
}

sub crlf { $_[0] =~ s/\n/\r\n/gr }

# Every way to send each.
#   size       of the body
#   at_once    how much of it goes with the head
#   expect     with "Expect: 100-continue", and the rest once told to continue
#   late       the rest after the answer all the same, as clients do that have begun to send
#   pipelined  the next request goes with the head, too
sub ways {
    my @ways;
    for my $version ('1.1', '1.0') {
        for my $chunked (0, 1) {
            next if $chunked && $version eq '1.0';
            my %way = (version => $version, chunked => $chunked);
            for my $expect (0, 1) {
                $way{expect} = $expect;
                push @ways, map { { %way, %$_ } } { size => 100, at_once => 1 }, { size => 100, at_once => 1, pipelined => 1 },
                    { size => 100, at_once => 0, late => 1 }, { size => 60_000, at_once => 0.5, late => 1 };
            }
            push @ways, { %way, size => 100, at_once => 0 };
        }
    }
    return @ways;
}

# ------------------------------------------------------------- the conversation

my $PATIENCE = 10;      # seconds, for each step
my $PAUSE    = 0.05;    # before the rest of a body is sent without an answer

# Sends every request in every way and another one after it; what is wrong with what came of that.
sub wrongs {
    my $number = 0;
    my @left = map { my $case = $_; map { { case => $case, how => $_, number => ++$number } } ways() } @requests;
    my $total = @left;
    my (%open, @wrong);
    my $select = IO::Select->new;
    while (@left || %open) {
        while (@left && keys %open < 100) {
            my $talk = begin(shift @left);
            $open{ $talk->{socket} } = $talk;
            $select->add($talk->{socket});
        }
        my @writing = map { $_->{socket} } grep { length $_->{out} } values %open;
        my ($readable, $writable) = IO::Select->select($select, IO::Select->new(@writing), undef, 0.02);
        put($open{$_}) for @$writable;
        get($open{$_}) for @$readable;
        for my $talk (values %open) {
            go_on($talk) if !defined $talk->{over};
            next if !defined $talk->{over};
            push @wrong, describe($talk) if $talk->{over} ne '';
            $select->remove($talk->{socket});
            delete $open{ $talk->{socket} };
            close $talk->{socket};
        }
    }
    return ($total, @wrong);
}

sub begin {
    my $talk = shift;
    my ($head, $body) = request($talk->{case}, $talk->{how}, $talk->{number});
    my $first = int $talk->{how}{at_once} * length $body;
    $body .= next_request($talk) if $talk->{how}{pipelined};
    $first = length $body if $talk->{how}{pipelined};
    my $socket = IO::Socket::INET->new("127.0.0.1:$ENV{TEST_NGINX_SERVER_PORT}") or die "connect: $!";
    $socket->blocking(0);
    %$talk = (%$talk, socket => $socket, in => '', since => time,
        out => $head . substr($body, 0, $first), rest => substr($body, $first));
    return $talk;
}

sub next_request {
    my $path = "/second/$_[0]{number}";
    return crlf("GET $path HTTP/1.1\n" . h4(path => $path) . "\n");
}

sub put {
    my $talk = shift;
    my $n = syswrite $talk->{socket}, $talk->{out};
    return substr $talk->{out}, 0, $n, '' if defined $n;
    return if $!{EAGAIN} || $!{EINTR};
    $talk->{out} = '';    # the other side has closed; its answer may still be there
}

sub get {
    my $talk = shift;
    my $n = sysread $talk->{socket}, $talk->{in}, 65536, length $talk->{in};
    return if !defined $n && ($!{EAGAIN} || $!{EINTR});
    $talk->{closed} = 1 if !$n;
}

# From an answer to the next step.
sub go_on {
    my $talk = shift;
    my $how = $talk->{how};
    my $waited = time - $talk->{since};

    if (!$talk->{answered}) {
        if ($talk->{in} =~ s/\AHTTP\/1\.1 100 Continue\r\n\r\n//) {
            $talk->{continued} = 1;
            $talk->{out} .= delete $talk->{rest} // '';
        }
        my ($status, $closes) = answer($talk);
        if (!defined $status) {
            return $talk->{over} = 'no answer' if $talk->{closed} || $waited > $PATIENCE;
            $talk->{out} .= delete $talk->{rest} // '' if $waited > $PAUSE && !withholds($how);
            return;
        }
        return $talk->{over} = "answered $status" if "|$talk->{case}[1]|" !~ /\|$status\|/;
        @$talk{qw(answered closes since)} = ($status, $closes, time);
        return $talk->{over} = 'closed without need'
            if $closes && ($talk->{case}[3] eq 'whole' || $talk->{case}[3] eq 'head' && !$how->{expect});
        $talk->{out} .= delete $talk->{rest} // '' if $how->{late};
        $talk->{out} .= next_request($talk) if !$how->{pipelined};
        return;
    }
    if ($talk->{closes}) {
        return $talk->{over} = "said close, and went on: $talk->{in}" if length $talk->{in};
        return $talk->{over} = ''                                    if $talk->{closed};
        return $talk->{over} = 'said close, and did not'              if $waited > $PATIENCE;
        return;
    }
    my ($status, undef, $text) = answer($talk);
    if (defined $status) {
        my $own = $status == 200 && $text =~ m{^verified yes$}m && $text =~ m{^line GET /second/$talk->{number} }m;
        return $talk->{over} = $own ? '' : "then answered $status: $text";
    }
    return $talk->{over} = 'closed without a word' if $talk->{closed};
    return $talk->{over} = 'then no answer'        if $waited > $PATIENCE;
}

# Takes an answer from what has come, if it is whole: its status, whether it closes the connection,
# and its body.
sub answer {
    my $talk = shift;
    my ($head, $status) = $talk->{in} =~ m{\A(HTTP/1\.[01] (\d{3}).*?\r\n\r\n)}s or return;
    my ($length) = $head =~ /^Content-Length: (\d+)/mi or return;
    return if length $talk->{in} < length($head) + $length;
    substr $talk->{in}, 0, length $head, '';
    my $body = substr $talk->{in}, 0, $length, '';
    my $closes = $head !~ /^Connection: keep-alive/mi;
    return ($status, $closes, $body);
}

# An HTTP/1.0 client is never told to continue: it stops waiting after a while.
sub withholds { my $how = shift; return $how->{expect} && $how->{at_once} == 0 && $how->{version} ne '1.0' }

sub describe {
    my $talk = shift;
    my %how = %{ $talk->{how} };
    return "$talk->{case}[0] (" . join(' ', map {"$_=$how{$_}"} sort keys %how)
        . ($talk->{continued} ? ', continued' : '') . '): ' . substr $talk->{over} =~ s/\s+/ /gr, 0, 200;
}

sub settings {
    my $more = shift;
    my $s3 = "s3_resign on; $more proxy_pass http://origin_a;";
    my $at = sub { "location /$_[0]/ { $_[1] }\n" };
    # What closes a connection must not be time.
    return join '', "$ENV{TEST_NGINX_CLIENT} $ENV{TEST_NGINX_READER} lingering_timeout 60s; lingering_time 60s;\n",
        "location / { $s3 }\n",
        $at->(granted => "$s3 s3_client $reader{key} secret_key=$reader{secret} allow=read;"),
        $at->(style   => "$s3 s3_errors s3proxy;"),
        $at->(hash    => "$s3 s3_verify_payload on;"),
        $at->(deny    => "$s3 deny all;"),
        $at->(return  => "$s3 return 503;"),
        $at->(page    => "$s3 return 503; error_page 503 =200 /plain;"),
        $at->(teapot  => "$s3 return 503; error_page 503 =418 /plain;"),
        $at->(small   => "$s3 client_max_body_size 1;"),
        $at->(dead    => $s3 =~ s/origin_a/dead/r),
        $at->(status  => 's3_status;'),
        $at->(healthz => 's3_healthz checked;'),
        $at->(checked => $s3 =~ s/origin_a/checked/r),
        'location = /plain { return 200 plain; }';
}

our $upstreams = <<"END";
    upstream dead { server $ENV{TEST_NGINX_DEAD} max_fails=0; s3_origin default $ENV{TEST_NGINX_CRED_A}; }
    upstream checked {
        zone checked 64k; server $ENV{TEST_NGINX_B}; s3_origin default $ENV{TEST_NGINX_CRED_B}; s3_health_check;
    }
END

sub check {
    my ($total, @wrong) = wrongs();
    my $shown = @wrong > 20 ? 20 : @wrong;
    Test::More::ok(!@wrong, "the request after each of $total")
        || Test::More::diag(@wrong . " are wrong:\n", map {"  $_\n"} @wrong[0 .. $shown - 1]);
}

$SIG{PIPE} = 'IGNORE';
worker_connections(512);
prepare();
run_tests();

__DATA__

=== TEST 1: bodies are buffered
--- log_level: info
--- http_config eval: $upstreams
--- config eval: settings('')
--- init
check();
--- signed: GET /bucket/key
--- passed: A

=== TEST 2: bodies are not buffered
--- log_level: info
--- http_config eval: $upstreams
--- config eval: settings('proxy_request_buffering off; proxy_http_version 1.1; client_body_buffer_size 1k;')
--- init
check();
--- signed: GET /bucket/key
--- passed: A
