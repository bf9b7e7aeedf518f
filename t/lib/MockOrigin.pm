package MockOrigin;

# S3 origins for tests, all in one process: each verifies the signature of what
# it receives with its own credentials and answers with a description of it.
#
# The request header X-Mock tells an origin to misbehave: "A=503,B=close".
#   close        close after the head, without an answer
#   drop         close after the whole request, without an answer
#   partial:N    close after N bytes of the body
#   NNN          answer with that status
#   early:NNN    answer with that status before the body, then close
#   delay:SECS   answer late
#   bye          answer, then close although keep-alive was agreed
#   cache        allow caching
#   range        answer with the part that Range names, of a body of 3,000 bytes
#   brief        allow caching, for a second
#   redirect:URL answer 307
#   moved:NNN:URL answer with that status and Location
#   NNN:CODE     answer with that status and an S3 error of that code
#   keys         answer 400 ExpiredToken, unless it is signed with the origin's keys; keys:CODE with another code
#   raw:HEX      answer with these bytes, then close; raw:HEX.HEX in pieces, a moment apart, and
#                HEX*N repeats the last byte of a piece to make them N
#   flood        answer 200 in the head, and then without an end
#   noise        answer with something else than HTTP, without an end
#   store:NAME   answer as that store does what a current SDK sends, see %Stores
#
# GET /_mood/A=503 at the port of the log has origin A do so with all requests that
# do not say otherwise, until GET /_mood/A=none.
#
# One more port answers GET /PATH with the log of all requests for that path or
# below it, one line each, in order of arrival, once none is being received; and
# GET /_open/PATH at once with those that are, or that have no answer yet.

use strict;
use warnings;

use Digest::MD5 qw(md5);
use Digest::SHA qw(sha256_hex);
use IO::Select;
use IO::Socket::INET;
use MIME::Base64 qw(encode_base64);
use S3Sign;
use Socket qw(IPPROTO_TCP);
use Time::HiRes qw(sleep time);

# start(log_address, { name, listen => [address, ...], key, secret, region, token }, ...)
sub start {
    my ($log_address, @origins) = @_;

    my %listeners;
    for my $origin ({ name => 'log', listen => [$log_address] }, @origins) {
        for my $address (@{ $origin->{listen} }) {
            my $socket = IO::Socket::INET->new(
                LocalAddr => $address, Listen => 64, ReuseAddr => 1, Blocking => 0,
            ) or die "mock origin: cannot listen on $address: $!\n";
            $listeners{$socket} = { socket => $socket, origin => $origin };
        }
    }

    my $pid = fork // die "fork: $!";
    return $pid if $pid;

    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP CHLD ALRM);
    $SIG{PIPE} = 'IGNORE';
    eval { serve(%listeners); 1 } or print STDERR "mock origin: $@";
    POSIX::_exit(0);
}

# What stores reject: framing of bodies, `trailers` only or `any`; whether checksums; whether documents without
# Content-MD5.
my %Stores = (
    b2          => { framing => 'any',      checksums => '400:InvalidArgument' },
    ceph        => { framing => 'any' },
    gcs         => { framing => 'any',      checksums => '400:ExcessHeaderValues', md5 => 1 },
    'minio-old' => { framing => 'trailers', md5 => 1 },
    oss         => { framing => 'trailers', md5 => 1 },
    r2          => { framing => 'any',      checksums => '501:NotImplemented' },
    swift       => { framing => 'any',      md5 => 1 },
);

# Tells what a store answers to what it cannot read; nothing if it can read it.
sub refusal {
    my ($request, $name) = @_;
    my $store   = $Stores{$name} or die "no store is called $name\n";
    my %headers = %{ $request->{headers} };
    my ($payload) = @{ $headers{'x-amz-content-sha256'} || [''] };
    my $framed = $payload =~ /^STREAMING-/ || "@{ $headers{'content-encoding'} || [] }" =~ /aws-chunked/;
    return '501:NotImplemented'
        if $framed && ($store->{framing} eq 'any' || $payload =~ /TRAILER$/ || $headers{'x-amz-trailer'});
    return $store->{checksums} if $store->{checksums} && grep {/^x-amz-(?:sdk-)?checksum-/} keys %headers;
    my $is_document = $request->{target} =~ /\?(?:acl|cors|delete|lifecycle|tagging|versioning)\b/
        && $request->{method} =~ /^P/;
    return if !$store->{md5} || !$is_document;
    my ($md5) = @{ $headers{'content-md5'} || return '400:MissingContentMD5' };
    return $md5 eq encode_base64(md5($request->{body}), '') ? undef : '400:BadDigest';
}

my (%Connections, $Select, @Log, $Serial, %Mood);

sub serve {
    my %listeners = @_;

    my $parent = getppid;
    $Select = IO::Select->new(map { $_->{socket} } values %listeners);
    while (getppid == $parent) {
        my @due = grep { $_->{due} } values %Connections;
        my $wait = 1;
        for my $due (map { $_->{due} - time } @due) {
            $wait = $due < 0 ? 0 : $due if $due < $wait;
        }
        for my $socket ($Select->can_read($wait)) {
            if (my $listener = $listeners{$socket}) {
                my $client = $socket->accept or next;
                $client->blocking(0);
                $Select->add($client);
                $Connections{$client} = {
                    socket => $client, origin => $listener->{origin},
                    in => '', count => 0,
                };
                $Connections{$client}{id} = is_log($Connections{$client}) ? 0 : ++$Serial;
                next;
            }
            receive($Connections{$socket} // next);
        }
        for my $connection (@due) {
            next if !$connection->{due} || $connection->{due} > time;
            delete $connection->{due};
            answer($connection, 200) if !is_log($connection);
            advance($connection) if $connection->{socket};
        }
    }
}

sub receive {
    my $connection = shift;

    my $got = sysread $connection->{socket}, $connection->{in}, 65536, length $connection->{in};
    return if !defined $got && ($!{EAGAIN} || $!{EINTR});
    if (!$got) {
        # A connection that was closed in good order might have had all of a request, to some servers.
        my $outcome = !defined $got && $!{ECONNRESET} ? 'reset' : 'incomplete';
        record($connection, $outcome) if $connection->{request} || length $connection->{in};
        return finish($connection);
    }
    advance($connection);
}

sub advance {
    my $connection = shift;

    while ($connection->{socket} && !$connection->{due}) {
        my $request = $connection->{request} //= head($connection) // return;
        if ($request->{broken}) {
            record($connection, 'GARBAGE');
            return finish($connection);
        }
        my ($action, $argument) = split /:/, $request->{action}, 2;
        if ($action eq 'close') {
            record($connection, 'close');
            return finish($connection);
        }
        if ($action eq 'early') {
            record($connection, "early-$argument");
            answer($connection, $argument);
            return finish($connection);
        }
        my $whole = body($connection, $request);
        if ($action eq 'partial') {
            return if length $request->{body} < $argument && !$whole;
            record($connection, 'partial');
            return finish($connection);
        }
        return if !$whole;
        if ($action eq 'drop') {
            record($connection, 'drop');
            return finish($connection);
        }
        if ($action eq 'delay') {
            $connection->{due} = time + $argument;
            return;
        }
        if ($action eq 'store') {
            $request->{action} = refusal($request, $argument) // 'none';
            ($action, $argument) = split /:/, $request->{action}, 2;
        }
        if ($action eq 'keys') {
            my $is_right = S3Sign::verify($request, $connection->{origin})->{verified} eq 'yes';
            $request->{action} = $is_right ? 'none' : '400:' . ($argument // 'ExpiredToken');
            ($action, $argument) = split /:/, $request->{action}, 2;
        }
        return verbatim($connection, $argument) if $action eq 'raw';
        return endless($connection, $action) if $action =~ /^(?:flood|noise)$/;
        if (is_log($connection) && is_early($connection)) {
            $connection->{due} = time + 0.002;
            return;
        }
        my %moved = (redirect => 307, moved => substr $argument // '', 0, 3);
        answer($connection, $action =~ /^\d{3}$/ ? $action : $moved{$action} // 200);
    }
}

sub is_log { $_[0]{origin}{name} eq 'log' }

# Whether the log may lack something that has been sent already. What is cut off is logged once the connection
# is closed; a request that is left open holds nobody up for long.
sub is_early {
    my $connection = shift;
    my $request = $connection->{request};
    return if $request->{target} =~ m{^/_};
    my $first = !$request->{since};
    $request->{since} ||= time;
    return $first || time < $request->{since} + 3
        && grep { !is_log($_) && !$_->{due} && ($_->{request} || length $_->{in}) } values %Connections;
}

sub head {
    my $connection = shift;

    if ($connection->{in} !~ s/\A(.*?\r\n)\r\n//s) {
        # what is not the beginning of a request shall not hang around
        my $bad = length $connection->{in} && $connection->{in} !~ /\A[A-Z]+(?: |\z)/;
        return $bad ? { broken => 1, line => $connection->{in} } : undef;
    }
    my ($line, @headers) = split /\r\n/, $1;
    my %request = (
        line => $line, headers => {}, list => \@headers, body => '', action => 'none',
        verified => 'no: body missing',
    );
    @request{qw(method target)} = $line =~ m{\A([A-Z]+) (\S+) HTTP/1\.[01]\z}
        or return { broken => 1, line => $line };
    for my $header (@headers) {
        my ($name, $value) = $header =~ /\A([^\s:]+):[ \t]*(.*?)[ \t]*\z/
            or return { broken => 1, line => $header };
        push @{ $request{headers}{ lc $name } }, $value;
    }
    $request{action} = $Mood{ $connection->{origin}{name} } // 'none';
    my ($mock) = @{ $request{headers}{'x-mock'} || [''] };
    for my $part (split /,/, $mock) {
        my ($name, $action) = split /=/, $part, 2;
        $request{action} = $action if $name eq $connection->{origin}{name};
    }
    my ($encoding) = @{ $request{headers}{'transfer-encoding'} || [''] };
    my ($length)   = @{ $request{headers}{'content-length'}    || [0] };
    return { broken => 1, line => "$line and both kinds of length" } if $encoding && $length;
    @request{qw(chunked length)} = ($encoding eq 'chunked', $length);
    $connection->{count}++;
    return \%request;
}

# Moves what has come of the body; true when it is whole.
sub body {
    my ($connection, $request) = @_;

    if (!$request->{chunked}) {
        my $missing = $request->{length} - length $request->{body};
        $request->{body} .= substr $connection->{in}, 0, $missing, '' if $missing > 0;
        return length $request->{body} == $request->{length};
    }
    while ($connection->{in} =~ /\A([0-9A-Fa-f]+)[^\r\n]*\r\n/) {
        my ($size, $at) = (hex $1, $+[0]);
        return if length $connection->{in} < $at + $size + 2;
        $request->{body} .= substr $connection->{in}, $at, $size;
        substr($connection->{in}, 0, $at + $size + 2) = '';
        return 1 if $size == 0;
    }
    return;
}

sub answer {
    my ($connection, $status) = @_;
    my ($request, $origin) = @$connection{qw(request origin)};
    my ($action, $argument) = split /:/, $request->{action}, 2;

    my ($body, @headers) = ('');
    if (is_log($connection)) {
        $Mood{$1} = $2 if $request->{target} =~ m{/_mood/(\w+)=(\S*)};
        my ($open, $prefix) = $request->{target} =~ m{\A(/_open)?([^?]*?)/?\z};
        $prefix .= '/';
        my @open = map { [$_->{request}{target}, $_->{request}{line}] } grep { $_->{request} && !is_log($_) } values %Connections;
        $body = join '', map {"$_->[1]\n"} grep { index("$_->[0]/", $prefix) == 0 } $open ? @open : @Log;
    }
    else {
        my $got = S3Sign::verify($request, $origin);
        $request->{verified} = $got->{verified};
        $body = describe($connection, $got);
        $body = "<Error><Code>$argument</Code></Error>"
            if $action =~ /^\d{3}$/ && defined $argument;
        push @headers, "X-Origin: $origin->{name}", 'X-Verified: ' . $got->{verified} =~ s/\n/|/gr,
            'X-Line: ' . substr($request->{line}, 0, 500), "x-amz-request-id: origin-$origin->{name}",
            'ETag: "' . substr(sha256_hex($request->{target}), 0, 16) . '"';
        # as S3 confirms that it has used the key
        push @headers, map { $request->{headers}{$_} ? "$_: $request->{headers}{$_}[0]" : () }
            map {"x-amz-server-side-encryption-customer-$_"} qw(algorithm key-md5);
        push @headers, 'Cache-Control: max-age=60' if $request->{action} eq 'cache';
        if ($action eq 'range') {
            $body = join '', map { sprintf "%09d\n", $_ } 0 .. 299;
            my ($range) = @{ $request->{headers}{range} || [''] };
            if (my ($from, $to) = $range =~ /^bytes=(\d+)-(\d+)$/) {
                ($status, $body) = (206, substr $body, $from, $to - $from + 1);
                push @headers, sprintf 'Content-Range: bytes %d-%d/3000', $from, $from + length($body) - 1;
            }
        }
        push @headers, 'Cache-Control: max-age=1'  if $request->{action} eq 'brief';
        push @headers, "Location: $1" if $request->{action} =~ /^(?:redirect|moved:\d{3}):(.*)/;
        record($connection, $status) if $request->{action} !~ /^early/;
    }
    my $length = length $body;
    $body = '' if $request->{method} eq 'HEAD';
    my $close = lc(($request->{headers}{connection} || [''])->[0]) eq 'close'
        || $request->{line} =~ m{HTTP/1\.0$};
    push @headers, 'Connection: ' . ($close ? 'close' : 'keep-alive');
    my $bytes = join("\r\n", "HTTP/1.1 $status Mock", 'Content-Type: text/plain',
        "Content-Length: $length", @headers) . "\r\n\r\n$body";
    $connection->{socket}->blocking(1);
    syswrite $connection->{socket}, $bytes;
    $connection->{socket}->blocking(0);

    my $bye = $request->{action} eq 'bye';
    delete $connection->{request};
    finish($connection) if $close || $bye;
}

sub verbatim {
    my ($connection, $pieces) = @_;

    my $socket = $connection->{socket};
    $connection->{request}{verified} =
        S3Sign::verify($connection->{request}, $connection->{origin})->{verified};
    record($connection, 'raw');
    $socket->blocking(1);
    for my $piece (split /\./, $pieces) {
        my ($hex, $times) = split /\*/, $piece;
        my $bytes = pack 'H*', $hex;
        $bytes .= substr($bytes, -1) x ($times - 1) if $times;
        syswrite $socket, $bytes;
        await_reader($socket) if $piece ne $pieces;
    }
    finish($connection);
}

# Gives the other side time to read what it was sent, as long as it takes on a busy
# machine, but not for ever: it may not want to.
sub await_reader {
    my $socket = shift;

    my ($from, $to) = map {
        my ($port, $address) = sockaddr_in($_);
        sprintf '%08X:%04X', unpack('L', $address), $port;
    } $socket->sockname, $socket->peername;
    for (1 .. 50) {
        sleep 0.03;
        open my $in, '<', '/proc/net/tcp' or return;
        my ($unread) = map { / $to $from \w+ \w+:(\w+) / ? hex $1 : () } <$in>;
        return if !$unread;
    }
}

# Sends more than anyone wants to read, until the other side has had enough.
sub endless {
    my ($connection, $action) = @_;

    my $socket = $connection->{socket};
    $socket->blocking(1);
    syswrite $socket, "HTTP/1.1 200 OK\r\n\r\n" if $action eq 'flood';
    my $sent = 0;
    while ($sent < 1 << 26) {
        $sent += syswrite($socket, 'x' x 65536) // last;
    }
    record($connection, $sent < 1 << 26 ? "$action-stopped" : $action);
    finish($connection);
}

sub describe {
    my ($connection, $got) = @_;
    my $request = $connection->{request};
    return join '', map {"$_\n"}
        "origin $connection->{origin}{name}",
        "verified $got->{verified}",
        (map {"$_ $got->{$_}"} qw(auth key region signed)),
        "connection $connection->{id} request $connection->{count}",
        'segments ' . segments($connection->{socket}),
        "line $request->{line}",
        (map {"header $_"} @{ $request->{list} }),
        'body ' . length($request->{body}) . ' ' . sha256_hex($request->{body}),
        (map {"field $_"} @{ $got->{fields} || [] }),
        (map {"policy $_"} grep {defined} $got->{policy}),
        (map {"padding $_"} grep {$_} $got->{padding}),
        defined $got->{data} ? 'data ' . length($got->{data}) . ' ' . sha256_hex($got->{data}) : ();
}

# Counts the TCP segments with data that have arrived on a connection: Linux's tcpi_data_segs_in.
sub segments {
    my $info = getsockopt($_[0], IPPROTO_TCP, 11) // '';
    return length $info < 156 ? 'unknown' : unpack 'x152 L', $info;
}

sub record {
    my ($connection, $outcome) = @_;
    my $request = $connection->{request} // { line => $connection->{in} };
    return if is_log($connection);

    my ($path) = ($request->{target} // '') =~ m{\A([^?]*)};
    my $verified = ($request->{verified} // 'no') eq 'yes' ? 'verified' : 'unverified';
    my $size = defined $request->{body} ? length $request->{body} : '-';
    (my $line = $request->{line}) =~ s/\?.*(?= HTTP)//;
    # garbage is listed with the request that it came after
    $path = $connection->{path} // $path if $outcome eq 'GARBAGE';
    $connection->{path} = $path;
    push @Log, [$path,
        "$connection->{origin}{name} $outcome $verified body=$size $line"];
}

sub finish {
    my $connection = shift;

    my $socket = delete $connection->{socket} // return;
    delete $connection->{due};
    $Select->remove($socket);
    delete $Connections{$socket};
    close $socket;
}

1;
