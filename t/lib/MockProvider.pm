package MockProvider;

# Services that give keys, in one process: the metadata service of EC2 (IMDSv2), that of containers, and STS.
# They give those of an origin, with a session token.
#
#   /latest/...      the metadata service
#   /container       keys for the Authorization "mock token", or without one
#   POST /sts        AssumeRoleWithWebIdentity and AssumeRole, the latter signed by AKIDSOURCE
#   /jwks/NAME       the key set of an issuer of tokens: what is in that file of the folder
#
# GET /_mood/WORD,... has them do so from now on, and /as/WORD,.../PATH this once:
#
#   none             as they should
#   life=SECONDS     keys that expire then; 3600 unless it is said
#   wrong            keys that no origin knows
#   status=NNN       answer with that status
#   slow             no answer
#   huge             keys, and 100,000 spaces after them
#   garbage          something else than keys
#   cut              half an answer
#   close            close without an answer
#   chunked          in chunks
#   v1               the metadata service has no tokens
#   age=SECONDS      it may be used for so long
#
# GET /_log answers with the requests so far, a line each.

use strict;
use warnings;

use Digest::SHA qw(hmac_sha256 hmac_sha256_hex sha256_hex);
use IO::Select;
use IO::Socket::INET;
use POSIX qw(strftime);
use Time::HiRes qw(sleep);

our %Mood;
my (@Log, @Held, $Folder);

# start(address, { key, secret, token }, folder)
sub start {
    my ($address, $keys, $folder) = @_;

    my $listener = IO::Socket::INET->new(LocalAddr => $address, Listen => 64, ReuseAddr => 1)
        or die "mock provider: cannot listen on $address: $!\n";
    my $parent = $$;
    my $pid = fork // die "fork: $!";
    return $pid if $pid;

    $SIG{$_} = 'DEFAULT' for qw(INT TERM HUP CHLD ALRM);
    $SIG{PIPE} = 'IGNORE';
    $Folder = $folder;
    eval { serve($listener, $parent, $keys); 1 } or print STDERR "mock provider: $@";
    POSIX::_exit(0);
}


sub words { map { /^(\w+)=?(.*)/ ? ($1 => $2) : () } split /,/, $_[0] }

sub serve {
    my ($listener, $parent, $keys) = @_;

    my $select = IO::Select->new($listener);
    while (getppid == $parent) {
        next if !$select->can_read(1);
        my $client = $listener->accept or next;
        my $text = '';
        while ($text !~ /\r\n\r\n/ || length($text) < $+[0] + (($text =~ /^Content-Length: (\d+)/mi)[0] // 0)) {
            last if !IO::Select->new($client)->can_read(2) || !sysread $client, $text, 65536, length $text;
        }
        my ($head, $body) = split /\r\n\r\n/, $text, 2;
        my ($method, $path) = ($head // '') =~ m{^([A-Z]+) (\S+) HTTP/1\.1\r\n} or next;
        if ($path eq '/_log') { reply($client, 200, join '', map {"$_\n"} @Log); next }
        if ($path =~ m{^/_mood/(.*)}) {
            %Mood = words($1);
            @Held = ();
            reply($client, 200, '');
            next;
        }
        local %Mood = %Mood;
        %Mood = words($1) if $path =~ s{^/as/([^/]+)}{};
        push @Log, "$method $path";
        if (exists $Mood{close}) { close $client; next }
        if (exists $Mood{slow}) { push @Held, $client; next }
        my ($status, $answer) = answer($method, $path, $head, $body, $keys);
        ($status, $answer) = ($Mood{status}, 'no') if $Mood{status};
        $answer = '<html>nonsense</html>' if exists $Mood{garbage};
        $answer .= ' ' x 100_000          if exists $Mood{huge};
        reply($client, $status, $answer);
    }
}

sub reply {
    my ($client, $status, $body) = @_;
    my $length = length $body;
    my $framing = "Content-Length: $length";
    if (exists $Mood{chunked}) {
        $framing = 'Transfer-Encoding: chunked';
        $body = join '', map { sprintf "%x\r\n%s\r\n", length, $_ } $body =~ /(.{1,50})/gs, '';
    }
    $body = substr $body, 0, $length / 2 if exists $Mood{cut};
    $framing .= "\r\nCache-Control: public, max-age=$Mood{age}" if exists $Mood{age};
    syswrite $client, "HTTP/1.1 $status Mock\r\n$framing\r\nConnection: close\r\n\r\n$body";
    close $client;
}

sub answer {
    my ($method, $path, $head, $body, $keys) = @_;
    my %keys = exists $Mood{wrong} ? (key => 'AKIDWRONG', secret => 'x' x 40, token => 'wrong') : %$keys;
    my $until = strftime '%Y-%m-%dT%H:%M:%SZ', gmtime time + ($Mood{life} // 3600);
    my $json  = qq({"Code": "Success", "AccessKeyId": "$keys{key}", "SecretAccessKey": "$keys{secret}",
        "Token": "$keys{token}", "Expiration": "$until"});
    if ($path =~ m{^/latest/}) {
        return (404, '') if exists $Mood{v1} && $method eq 'PUT';
        return (200, 'session') if "$method $path" eq 'PUT /latest/api/token'
            && $head =~ /^X-aws-ec2-metadata-token-ttl-seconds: \d+\r?$/mi;
        return (401, '') if $method ne 'GET' || $head !~ /^X-aws-ec2-metadata-token: session\r?$/mi;
        return (200, "the-role\n") if $path eq '/latest/meta-data/iam/security-credentials/';
        return (200, $json) if $path eq '/latest/meta-data/iam/security-credentials/the-role';
    }
    if ($path eq '/container') {
        push @Log, $1 if $head =~ /^(Authorization: .*?)\r?$/m;
        return (200, $json);
    }
    if ("$method $path" eq 'POST /sts') {
        my %field = map { my ($n, $v) = split /=/, $_, 2; $v =~ s/%(..)/chr hex $1/ge; ($n => $v) } split /&/, $body;
        push @Log, join ' ', map {"$_=$field{$_}"} sort keys %field;
        my $action = $field{Action} // '';
        push @Log, signature($path, $head, $body) if $action eq 'AssumeRole';
        return (200, "<${action}Response xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><${action}Result>"
            . "<Credentials><AccessKeyId>$keys{key}</AccessKeyId><SecretAccessKey>$keys{secret}</SecretAccessKey>"
            . "<SessionToken>$keys{token}</SessionToken><Expiration>$until</Expiration></Credentials>"
            . "</${action}Result></${action}Response>");
    }
    if ($path =~ m{^/jwks/(\w+)$} && open my $in, '<', "$Folder/$1") {
        local $/;
        return (200, <$in>);
    }
    return (404, 'no such thing');
}

# Whether an AssumeRole is signed by AKIDSOURCE, whose secret is "source/secret", in eu-west-1.
sub signature {
    my ($path, $head, $body) = @_;
    my %header = map { /^([^:]+): (.*)/ ? (lc $1 => $2) : () } split /\r\n/, $head;
    my ($credential, $names, $signature) = ($header{authorization} // '')
        =~ m{^AWS4-HMAC-SHA256 Credential=(\S+), SignedHeaders=(\S+), Signature=(\S+)$} or return 'unsigned';
    my ($key, $scope) = split m{/}, $credential, 2;
    my $canonical = join "\n", 'POST', $path, '',
        (map {"$_:$header{$_}"} split /;/, $names), '', $names, sha256_hex($body);
    my $signing = 'AWS4source/secret';
    $signing = hmac_sha256($_, $signing) for split m{/}, $scope;
    my $expected = hmac_sha256_hex(
        join("\n", 'AWS4-HMAC-SHA256', $header{'x-amz-date'}, $scope, sha256_hex($canonical)), $signing);
    return "signed by $key $scope: " . ($expected eq $signature ? 'right' : 'wrong');
}

1;
