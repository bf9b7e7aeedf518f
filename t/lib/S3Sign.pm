package S3Sign;

# AWS Signature Version 4 and Version 2 in plain Perl, written from AWS's
# documentation and sharing nothing with the module, so that a test can sign a
# request, break exactly one rule of it, and check what an origin received.
#
# A long file, so that both sides of a signature are beside each other.

use strict;
use warnings;

use Compress::Raw::Zlib ();
use Digest::MD5 qw(md5);
use Digest::SHA qw(sha1 sha256 sha256_hex sha512 hmac_sha256 hmac_sha256_hex hmac_sha1_base64);
use JSON::PP ();
use MIME::Base64 qw(decode_base64 encode_base64);
use POSIX qw(strftime);

our %Default = (
    method  => 'GET',
    path    => '/bucket/key',    # as on the wire
    query   => '',               # as on the wire, without "?"
    host    => 'localhost',
    region  => 'us-east-1',
    service => 's3',
    skew    => 0,                # seconds added to now
    expires => 900,              # of presigned queries and forms: seconds, long enough for a whole file
    headers => [],               # [name, value, ...]: sent and signed
    unsigned => [],              # [name, value, ...]: sent, not signed
    omit     => [],              # names: signed, not sent
);

# --------------------------------------------------------------------- signing
#
# Options beyond those above: key, secret, body (its hash is signed), payload
# (the value of x-amz-content-sha256; undef leaves the header out), date (the
# value of x-amz-date), date_header (a Date header instead), scope_date, scope
# (all of it), signed (the SignedHeaders list), terminator, token, tamper (spoil
# the signature), edit (a sub on the Authorization value or the target), unsaid (the
# body's hash is signed, as services but S3 have it, without a header that says it).

# The header lines of a request signed in its Authorization header.
sub v4_headers {
    my %o = options(@_);

    my $date = $o{date} // timestamp(time + $o{skew});
    my $payload = exists $o{payload} ? $o{payload} : sha256_hex($o{body} // '');
    my @signed = ([host => $o{host}]);
    push @signed, defined $o{date_header} ? [date => $o{date_header}] : ['x-amz-date' => $date];
    push @signed, ['x-amz-content-sha256' => $payload] if defined $payload && !$o{unsaid};
    push @signed, ['x-amz-security-token' => $o{token}] if defined $o{token};
    push @signed, pairs($o{headers});

    my $names = $o{signed} // signed_names(@signed);
    my $scope = scope(\%o, $date);
    my $canonical = canonical_request(\%o, $o{query}, \@signed, $names, $payload // '');
    my $signature = signature(\%o, $date, $scope, $canonical);
    my $authorization = "AWS4-HMAC-SHA256 Credential=$o{key}/$scope, "
        . "SignedHeaders=$names, Signature=$signature";
    $authorization = $o{edit}->($authorization) if $o{edit};

    return lines(\%o, @signed, pairs($o{unsigned}), [authorization => $authorization]);
}

# The target (path and query) of a presigned request.
sub v4_target {
    my %o = options(@_);

    my $date   = $o{date} // timestamp(time + $o{skew});
    my @signed = ([host => $o{host}], pairs($o{headers}));
    my $names  = $o{signed} // signed_names(@signed);
    my $scope  = scope(\%o, $date);
    my @query  = (
        length $o{query} ? $o{query} : (),
        'X-Amz-Algorithm=AWS4-HMAC-SHA256',
        'X-Amz-Credential=' . encode("$o{key}/$scope"),
        "X-Amz-Date=$date",
        defined $o{expires} ? "X-Amz-Expires=$o{expires}" : (),
        defined $o{token} ? 'X-Amz-Security-Token=' . encode($o{token}) : (),
        'X-Amz-SignedHeaders=' . encode($names),
    );
    my $query = join '&', @query;
    my ($content) = map { $_->[1] } grep { lc $_->[0] eq 'x-amz-content-sha256' } @signed;
    my $canonical = canonical_request(\%o, $query, \@signed, $names,
        $o{payload} // $content // 'UNSIGNED-PAYLOAD');
    my $target = $o{path} . "?$query&X-Amz-Signature="
        . signature(\%o, $date, $scope, $canonical);
    return $o{edit} ? $o{edit}->($target) : $target;
}

# The header lines that go with v4_target: those that it signed, and others.
sub v4_target_headers {
    my %o = options(@_);
    return lines(\%o, [host => $o{host}], pairs($o{headers}), pairs($o{unsigned}));
}

sub v2_headers {
    my %o = options(@_);

    my $date = $o{date} // strftime('%a, %d %b %Y %H:%M:%S GMT', gmtime(time + $o{skew}));
    my @headers = ([date => $date], pairs($o{headers}));
    my $signature = v2_signature(\%o, $date, @headers);
    my $authorization = "AWS $o{key}:$signature";
    $authorization = $o{edit}->($authorization) if $o{edit};
    return lines(\%o, [host => $o{host}], @headers, pairs($o{unsigned}),
        [authorization => $authorization]);
}

sub v2_target {
    my %o = options(@_);

    my $expires   = $o{date} // time + $o{skew} + $o{expires};
    my $signature = v2_signature(\%o, $expires, pairs($o{headers}));
    my $target = $o{path} . '?' . join '&',
        length $o{query} ? $o{query} : (),
        'AWSAccessKeyId=' . encode($o{key}), "Expires=$expires",
        'Signature=' . encode($signature);
    return $o{edit} ? $o{edit}->($target) : $target;
}

# --------------------------------------------------------- aws-chunked uploads

my %Payload = (
    'signed'         => 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD',
    'signed-trailer' => 'STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER',
    'unsigned'       => 'STREAMING-UNSIGNED-PAYLOAD-TRAILER',
);
my %Checksum = (
    'x-amz-checksum-crc32'  => sub { pack 'N', Compress::Raw::Zlib::crc32($_[0]) },
    'x-amz-checksum-md5'    => \&md5,
    'x-amz-checksum-sha1'   => \&sha1,
    'x-amz-checksum-sha256' => \&sha256,
    'x-amz-checksum-sha512' => \&sha512,
);

# The header lines and the body of an upload. Options beyond those of v4_headers:
# kind (a key of %Payload), data, encoding (Content-Encoding, or "none"), size (of a
# chunk), checksum (its name, or nothing), te (the
# size of a chunk of Transfer-Encoding, instead of Content-Length), decoded (the
# length that is announced), spoil (the number of a chunk, from the end where
# negative, whose signature is wrong), spoil_checksum, spoil_trailer, and
# edit_body (a sub on the framed body).
sub v4_upload {
    my %o = (options(), method => 'PUT', kind => 'signed', data => '', size => 65536,
        checksum => 'x-amz-checksum-crc32', unsigned => [], @_);

    my $trailer = $o{kind} ne 'signed' && $o{checksum} ne '';
    my $date = $o{date} // timestamp(time + $o{skew});
    my $headers = v4_headers(%o, date => $date, payload => $Payload{ $o{kind} }, headers => [
        ($o{encoding} // '') eq 'none' ? () : ('content-encoding' => $o{encoding} // 'aws-chunked'),
        'x-amz-decoded-content-length' => $o{decoded} // length $o{data},
        $trailer ? ('x-amz-trailer' => $o{checksum}) : (),
        @{ $o{headers} },
    ]);
    my ($seed) = $headers =~ /Signature=([0-9a-f]+)/;
    my $chain = chain(\%o, $date, scope(\%o, $date), $seed);
    my @chunks = (unpack("(a$o{size})*", $o{data}), '');
    my $spoilt = !defined $o{spoil} ? -1 : $o{spoil} < 0 ? @chunks + $o{spoil} : $o{spoil};
    my $body = '';
    for my $i (0 .. $#chunks) {
        $body .= sprintf '%x', length $chunks[$i];
        if ($o{kind} ne 'unsigned') {
            my $signature = $chain->(PAYLOAD => sha256_hex(''), sha256_hex($chunks[$i]));
            $signature =~ tr/0-9a-f/1-9a-f0/ if $i == $spoilt;
            $body .= ";chunk-signature=$signature";
        }
        $body .= "\r\n$chunks[$i]" . (length $chunks[$i] ? "\r\n" : '');
    }
    if ($trailer) {
        my $sum = encode_base64($Checksum{ $o{checksum} }->($o{data} . ($o{spoil_checksum} // '')), '');
        $body .= "$o{checksum}:$sum\r\n";
        if ($o{kind} eq 'signed-trailer') {
            my $signature = $chain->(TRAILER => sha256_hex("$o{checksum}:$sum\n"));
            $signature =~ tr/0-9a-f/1-9a-f0/ if $o{spoil_trailer};
            $body .= "x-amz-trailer-signature:$signature\r\n";
        }
    }
    $body .= "\r\n";
    $body = $o{edit_body}->($body) if $o{edit_body};
    return ($headers . 'Content-Length: ' . length($body) . "\n", $body) if !$o{te};
    return ("${headers}Transfer-Encoding: chunked\n", chunked($body, $o{te}));
}

# A body in HTTP's own chunks of that size.
sub chunked {
    my ($body, $size) = @_;
    return join '', (map { sprintf "%x\r\n%s\r\n", length, $_ } unpack "(a$size)*", $body), "0\r\n\r\n";
}

# ------------------------------------------------------------- browsers' forms

# The header lines and the body of a form. Options beyond those of v4_headers:
# form_key, fields ([name, value, ...], in this order), file, filename, expires
# (of the policy), conditions (instead of one for each field), more (besides
# those), unlisted (names of fields without a condition), policy (its text), v2,
# edit_fields (a sub on the list of pairs), boundary, te, and edit_body.
sub v4_form {
    my %o = (options(), form_key => 'key', fields => [], file => 'hello', filename => 'f.txt',
        boundary => 'oOoBoundaryoOo', more => [], unlisted => [], @_);

    my $date = $o{date} // timestamp(time + $o{skew});
    my ($bucket) = map { decode($_) } $o{path} =~ m{^/([^/]*)};
    my $scope = scope(\%o, $date);
    my @fields = ([key => $o{form_key}], pairs($o{fields}));
    my @own = $o{v2} ? () : (['x-amz-algorithm' => $o{algorithm} // 'AWS4-HMAC-SHA256'],
        ['x-amz-credential' => "$o{key}/$scope"], ['x-amz-date' => $date]);
    my %unlisted = map { $_ => 1 } @{ $o{unlisted} };
    my $equal = sub { map { ['eq', "\$$_->[0]", $_->[1]] } grep { !$unlisted{ $_->[0] } } @_ };
    my @conditions = (@{ $o{conditions} // [{ bucket => $bucket }, $equal->(@fields)] },
        @{ $o{more} }, $equal->(@own));
    my $policy = $o{policy} // JSON::PP->new->encode({
        expiration => $o{expiration} // strftime('%Y-%m-%dT%H:%M:%S.000Z', gmtime(time + $o{expires})),
        conditions => \@conditions,
    });
    my $encoded = encode_base64($policy, $o{eol} // '');
    push @fields, @own, [policy => $encoded],
        $o{v2} ? ([AWSAccessKeyId => $o{key}], [signature => form_signature_v2(\%o, $encoded)])
        : ['x-amz-signature' => form_signature(\%o, $scope, $encoded)];
    @fields = $o{edit_fields}->(@fields) if $o{edit_fields};
    my $part = sub { "--$o{boundary}\r\nContent-Disposition: form-data; name=\"$_[0]\"$_[1]\r\n\r\n$_[2]\r\n" };
    my $filename = defined $o{filename} ? qq(; filename="$o{filename}"\r\nContent-Type: text/x-file) : '';
    my $body = join '', (map { $part->($_->[0], '', $_->[1]) } @fields),
        $part->('file', $filename, $o{file}), "--$o{boundary}--\r\n";
    $body = $o{edit_body}->($body) if $o{edit_body};
    my $headers = lines(\%o, [host => $o{host}], pairs($o{headers}),
        ['content-type' => $o{content_type} // "multipart/form-data; boundary=$o{boundary}"]);
    return ($headers . 'Content-Length: ' . length($body) . "\n", $body) if !$o{te};
    return ("${headers}Transfer-Encoding: chunked\n", chunked($body, $o{te}));
}

sub form_signature {
    my ($o, $scope, $policy) = @_;
    my ($day, $region, $service, $terminator) = split m{/}, $scope, -1;
    my $key = hmac_sha256($day, "AWS4$o->{secret}");
    $key = hmac_sha256($_ // '', $key) for $region, $service, $terminator;
    my $signature = hmac_sha256_hex($policy, $key);
    $signature =~ tr/0-9a-f/1-9a-f0/ if $o->{tamper};
    return $signature;
}

sub form_signature_v2 {
    my ($o, $policy) = @_;
    my $signature = hmac_sha1_base64($policy, $o->{secret});
    $signature .= '=' while length($signature) % 4;
    $signature =~ tr/A-Za-z/B-ZAb-za/ if $o->{tamper};
    return $signature;
}

# What an origin says of a form, as `verify` does: also data and fields.
sub verify_form {
    my ($request, $origin, $got) = @_;
    my $no = sub { $got->{verified} = "no: $_[0]"; return $got };

    $got->{auth} = 'form';
    my ($type) = @{ $request->{headers}{'content-type'} };
    my ($boundary) = $type =~ m{^multipart/form-data;(?: charset=[-\w]+;)? ?boundary="?([^"\s;]+)"?$}i
        or return $no->("content type $type");
    # behind the end may be spaces
    my ($form, $padding) = $request->{body} =~ /\A(.*\r\n--\Q$boundary\E--(?:\r\n)?)( *)\z/s
        or return $no->('the body does not end as a form');
    $got->{padding} = length $padding;
    my @parts = split /\r\n--\Q$boundary\E(?:--)?(?:\r\n|\z)/, "\r\n$form", -1;
    return $no->('something ahead of the form') if shift(@parts) ne '';
    return $no->('something behind the form')   if pop(@parts) ne '';
    my (%field, @names, $file);
    for my $part (@parts) {
        my ($head, $value) = $part =~ /\A(.*?)\r\n\r\n(.*)\z/s or return $no->('a part without a head');
        my ($name, $filename) = $head =~ /^Content-Disposition: form-data; name="([^"]+)"(?:; filename="([^"]*)")?/
            or return $no->("head $head");
        return $no->('something behind the file') if defined $file;
        if ($name eq 'file') { $file = $value; next }
        return $no->("$name is given twice") if exists $field{ lc $name };
        return $no->("\${filename} is left in $name") if $value =~ /\$\{filename\}/;
        $field{ lc $name } = $value;
        push @names, $name;
    }
    return $no->('no file') if !defined $file;
    $got->{data} = $file;
    $got->{fields} = [map { "$_: $field{lc $_}" } @names];
    for my $name (qw(policy x-amz-signature x-amz-credential x-amz-date x-amz-algorithm key)) {
        return $no->("no $name") if !length($field{$name} // '');
    }
    my ($key, $scope) = $field{'x-amz-credential'} =~ m{^(.+?)/([^/]+/[^/]*/[^/]+/[^/]+)$}
        or return $no->('bad credential');
    my ($day, $region, $service, $terminator) = split m{/}, $scope;
    @$got{qw(key region)} = ($key, $region);
    my $secret = secret_of($origin, $key) // return $no->("key $key is not mine");
    return $no->("region $region is not mine") if $region ne $origin->{region};
    return $no->("scope $scope")               if "$service/$terminator" ne 's3/aws4_request';
    return $no->('date')  if $field{'x-amz-date'} !~ /^(\d{8})T\d{6}Z$/ || $1 ne $day;
    return $no->('security token') if ($field{'x-amz-security-token'} // '') ne ($origin->{token} // '');
    return $no->('wrong signature')
        if $field{'x-amz-signature'} ne form_signature({ secret => $secret }, $scope, $field{policy});

    my $policy = eval { JSON::PP->new->utf8->decode(decode_base64($field{policy})) } or return $no->("policy: $@");
    $got->{policy} = JSON::PP->new->canonical->ascii->encode($policy);
    my $now = strftime('%Y-%m-%dT%H:%M:%S.000Z', gmtime);
    return $no->('expired') if $policy->{expiration} lt $now;
    my ($bucket) = $request->{target} =~ m{^/([^/?]*)};
    my %value = (%field, bucket => $bucket);
    my %covered = map { $_ => 1 } qw(policy x-amz-signature);
    for my $condition (@{ $policy->{conditions} }) {
        my ($operator, $name, $wanted) = ref $condition eq 'HASH' ? ('eq', map {"\$$_"} %$condition) : @$condition;
        if ($operator eq 'content-length-range') {
            return $no->('length') if length $file < $name || length $file > $wanted;
            next;
        }
        $name =~ s/^\$//;
        $wanted =~ s/^\$// if ref $condition eq 'HASH';
        utf8::encode($wanted);
        return $no->("condition on $name") if $operator ne 'eq' || ($value{ lc $name } // '') ne $wanted;
        $covered{ lc $name } = 1;
    }
    for my $name (keys %value) {
        return $no->("$name is not in the policy") if !$covered{$name};
    }
    $got->{verified} = 'yes';
    return $got;
}

# The secret of an origin's key, or of a tenant's.
sub secret_of {
    my ($origin, $key) = @_;
    return $key eq $origin->{key} ? $origin->{secret} : $origin->{tenants}{$key};
}

# A sub that gives the next signature of the chain, over the parts of its string to sign.
sub chain {
    my ($o, $date, $scope, $previous) = @_;

    my ($day, $region, $service, $terminator) = split m{/}, $scope, -1;
    my $key = hmac_sha256($day, "AWS4$o->{secret}");
    $key = hmac_sha256($_ // '', $key) for $region, $service, $terminator;
    return sub {
        my ($what, @hashes) = @_;
        return $previous = hmac_sha256_hex(
            join("\n", "AWS4-HMAC-SHA256-$what", $date, $scope, $previous, @hashes), $key);
    };
}

# Takes the framing off a body: (data, undef) or (undef, what is wrong with it).
sub unframe {
    my ($kind, $body, $headers, $chain) = @_;

    my $one = sub { join ',', @{ $headers->{ $_[0] } || [] } };
    my $data = '';
    my $signature = $kind eq 'unsigned' ? qr/()/ : qr/;chunk-signature=([0-9a-f]{64})/;
    while (1) {
        $body =~ s/\A([0-9a-f]+)$signature\r\n// or return (undef, 'cannot read a chunk at ' . length $data);
        my ($size, $got) = (hex $1, $2);
        return (undef, 'the body breaks off') if length $body < $size;
        my $chunk = substr $body, 0, $size, '';
        return (undef, "the signature of the chunk at " . length $data)
            if $kind ne 'unsigned' && $got ne $chain->(PAYLOAD => sha256_hex(''), sha256_hex($chunk));
        last if !$size;
        $data .= $chunk;
        $body =~ s/\A\r\n// or return (undef, 'no line break behind a chunk');
    }
    my $name = $one->('x-amz-trailer');
    if ($kind eq 'signed-trailer' || $name ne '') {
        $body =~ s/\A\Q$name\E:(\S+)\r\n// or return (undef, 'no trailer');
        my $sum = $1;
        if ($kind eq 'signed-trailer') {
            $body =~ s/\Ax-amz-trailer-signature:(\S+)\r\n// or return (undef, 'no signature of the trailer');
            return (undef, 'the signature of the trailer') if $1 ne $chain->(TRAILER => sha256_hex("$name:$sum\n"));
        }
        return (undef, 'the checksum') if $sum ne encode_base64($Checksum{$name}->($data), '');
    }
    return (undef, 'the end') if $body ne "\r\n";
    return (undef, 'the decoded length') if length $data ne $one->('x-amz-decoded-content-length');
    return ($data, undef);
}

sub timestamp { strftime('%Y%m%dT%H%M%SZ', gmtime shift) }

sub options { return (%Default, @_) }

sub scope {
    my ($o, $date) = @_;
    return $o->{scope} // join '/', $o->{scope_date} // substr($date, 0, 8), $o->{region},
        $o->{service}, $o->{terminator} // 'aws4_request';
}

sub pairs {
    my @list = @{ +shift };
    my @pairs;
    push @pairs, [splice @list, 0, 2] while @list;
    return @pairs;
}

sub signed_names {
    my %names = map { lc $_->[0] => 1 } @_;
    return join ';', sort keys %names;
}

sub lines {
    my ($o, @headers) = @_;
    my %omit = map { lc $_ => 1 } @{ $o->{omit} };
    return join '', map {"$_->[0]: $_->[1]\n"} grep { !$omit{ lc $_->[0] } } @headers;
}

sub signature {
    my ($o, $date, $scope, $canonical) = @_;

    my ($day, $region, $service, $terminator) = split m{/}, $scope, -1;
    my $key = hmac_sha256($day, "AWS4$o->{secret}");
    $key = hmac_sha256($_ // '', $key) for $region, $service, $terminator;
    my $signature = hmac_sha256_hex(
        join("\n", 'AWS4-HMAC-SHA256', $date, $scope, sha256_hex($canonical)), $key);
    $signature =~ tr/0-9a-f/1-9a-f0/ if $o->{tamper};
    return $signature;
}

sub canonical_request {
    my ($o, $query, $headers, $names, $payload) = @_;

    my %values;
    for my $header (@$headers) {
        my ($name, $value) = @$header;
        $value =~ s/^\s+|\s+$//g;
        $value =~ s/ +/ /g;
        push @{ $values{ lc $name } }, $value;
    }
    return join "\n", $o->{method}, encode(decode($o->{path} =~ tr/+/ /r), 'path'), canonical_query($query),
        (map { "$_:" . join ',', @{ $values{$_} || [] } } split /;/, $names), '', $names, $payload;
}

sub canonical_query {
    my @pairs;
    for my $part (grep {length} split /&/, shift) {
        my ($name, $value) = split /=/, $part, 2;
        push @pairs, [map { encode(decode(tr/+/ /r)) } $name, $value // ''];
    }
    return join '&', map {"$_->[0]=$_->[1]"}
        sort { $a->[0] cmp $b->[0] || $a->[1] cmp $b->[1] } @pairs;
}

sub encode {
    my ($text, $path) = @_;
    my $keep = $path ? '/' : '';
    $text =~ s{([^A-Za-z0-9\-._~$keep])}{sprintf '%%%02X', ord $1}ge;
    return $text;
}

sub decode {
    my $text = shift;
    $text =~ s/%([0-9A-Fa-f]{2})/chr hex $1/ge;
    return $text;
}

my %SubResource = map { $_ => 1 } qw(
    acl cors delete lifecycle location logging notification partNumber policy
    requestPayment restore tagging torrent uploadId uploads versionId versioning
    versions website response-cache-control response-content-disposition
    response-content-encoding response-content-language response-content-type
    response-expires
);

sub v2_signature {
    my ($o, $date, @headers) = @_;

    my %values;
    push @{ $values{ lc $_->[0] } }, $_->[1] for @headers;
    my $one = sub { ($values{ $_[0] } || [''])->[0] };
    my @resources = map {
        my ($name, $value) = map { decode($_) } split /=/, $_, 2;
        $SubResource{$name} ? defined $value ? "$name=$value" : $name : ();
    } split /&/, $o->{query};
    my $string = join "\n", $o->{method}, $one->('content-md5'), $one->('content-type'),
        exists $values{'x-amz-date'} ? '' : $date,
        (map { "$_:" . join ',', @{ $values{$_} } } sort grep {/^x-amz-/} keys %values),
        $o->{path} . (@resources ? '?' . join '&', sort @resources : '');
    my $signature = hmac_sha1_base64($string, $o->{secret});
    $signature .= '=' while length($signature) % 4;
    $signature =~ tr/A-Za-z/B-ZAb-za/ if $o->{tamper};
    return $signature;
}

# ---------------------------------------------------------------- verification

# What an origin says of a request: a hash with auth (header, query or none),
# key, region, signed, and verified: "yes", or "no" and the reason.
sub verify {
    my ($request, $origin) = @_;
    my %headers = %{ $request->{headers} };    # lower-case name => [values]
    my $got = { auth => 'none', map { $_ => '' } qw(key region signed) };

    my $no = sub { $got->{verified} = "no: $_[0]"; return $got };
    my ($path, $query) = split /\?/, $request->{target}, 2;
    $query //= '';
    my %param;
    for my $part (grep {length} split /&/, $query) {
        my ($name, $value) = map { decode($_) } split /=/, $part, 2;
        return $no->("$name is given twice") if $name =~ /^X-Amz-/i && exists $param{$name};
        $param{$name} = $value;
    }
    for my $name (qw(AWSAccessKeyId Signature)) {
        return $no->("$name of the client has come through") if exists $param{$name};
    }

    return verify_form($request, $origin, $got)
        if $request->{method} eq 'POST' && ($headers{'content-type'} || [''])->[0] =~ m{^multipart/form-data}i;

    my ($credential, $signature, $date);
    my @authorization = @{ $headers{authorization} || [] };
    return $no->('two Authorization headers') if @authorization > 1;
    if (@authorization) {
        return $no->('header and query signature') if exists $param{'X-Amz-Signature'};
        $got->{auth} = 'header';
        ($credential, $got->{signed}, $signature) = $authorization[0]
            =~ m{^AWS4-HMAC-SHA256 Credential=(\S+?), ?SignedHeaders=(\S+?), ?Signature=([0-9a-f]{64})$}
            or return $no->("cannot read Authorization: $authorization[0]");
        $date = join ',', @{ $headers{'x-amz-date'} || [] };
    }
    elsif (exists $param{'X-Amz-Signature'}) {
        $got->{auth} = 'query';
        return $no->('not AWS4-HMAC-SHA256')
            if ($param{'X-Amz-Algorithm'} // '') ne 'AWS4-HMAC-SHA256';
        ($credential, $got->{signed}, $signature, $date) =
            map { $_ // '' } @param{map {"X-Amz-$_"} qw(Credential SignedHeaders Signature Date)};
        $query = join '&', grep { !/^X-Amz-Signature=/ } split /&/, $query;
    }
    else {
        return $no->('not signed');
    }

    my ($key, $scope) = $credential =~ m{^(.+?)/([^/]+/[^/]*/[^/]+/[^/]+)$}
        or return $no->("bad credential $credential");
    my ($day, $region, $service, $terminator) = split m{/}, $scope;
    @$got{qw(key region)} = ($key, $region);
    my $secret = secret_of($origin, $key) // return $no->("key $key is not mine");
    return $no->("region $region is not mine")       if $region ne $origin->{region};
    return $no->("scope $scope")                     if "$service/$terminator" ne 's3/aws4_request';
    return $no->("cannot read date $date")           if $date !~ /^(\d{8})T(\d{6})Z$/;
    return $no->("scope date $day is not of $date")  if $day ne $1;
    my $age = time - epoch($date);
    if ($got->{auth} eq 'header') {
        return $no->("date is off by $age s") if abs $age > 60;
    }
    else {
        my $expires = $param{'X-Amz-Expires'} // '';
        return $no->("bad expires $expires") if $expires !~ /^\d+$/ || $expires > 604800;
        return $no->('expired') if $age > $expires;
    }

    return $no->('signed headers are not sorted')
        if $got->{signed} ne join ';', sort split /;/, $got->{signed};
    my %signed = map { $_ => 1 } split /;/, $got->{signed};
    return $no->('host is not signed') if !$signed{host};
    for my $name (sort keys %headers) {
        return $no->("$name is not signed") if $name =~ /^x-amz-/ && !$signed{$name};
    }
    for my $name (sort keys %signed) {
        return $no->("$name is signed but missing") if !$headers{$name};
    }
    my $payload = join ',', @{ $headers{'x-amz-content-sha256'} || [] };
    return $no->('no x-amz-content-sha256') if $got->{auth} eq 'header' && $payload eq '';
    $payload = 'UNSIGNED-PAYLOAD' if $payload eq '';
    return $no->('the body is not the one signed')
        if $payload =~ /^[0-9a-f]{64}$/ && $payload ne sha256_hex($request->{body});
    my %kind = reverse %Payload;
    return $no->("payload $payload")
        if $payload !~ /^(?:[0-9a-f]{64}|UNSIGNED-PAYLOAD)$/ && !$kind{$payload};
    my $token = $param{'X-Amz-Security-Token'} // ($headers{'x-amz-security-token'} || [])->[0];
    return $no->('security token') if ($token // '') ne ($origin->{token} // '');

    my @pairs = map {
        my $name = $_;
        map { [$name, $_] } @{ $headers{$name} }
    } keys %headers;
    my $canonical = canonical_request({ method => $request->{method}, path => $path },
        $query, \@pairs, $got->{signed}, $payload);
    return $no->("wrong signature of: $canonical")
        if $signature ne signature({ secret => $secret }, $date, $scope, $canonical);
    if (my $kind = $kind{$payload}) {
        my $chain = chain({ secret => $secret }, $date, $scope, $signature);
        my ($data, $wrong) = unframe($kind, $request->{body}, \%headers, $chain);
        return $no->("aws-chunked: $wrong") if defined $wrong;
        $got->{data} = $data;
    }
    $got->{verified} = 'yes';
    return $got;
}

sub epoch {
    my ($y, $m, $d, $h, $i, $s) = $_[0] =~ /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/;
    # days since the epoch of a civil date
    my ($yy, $mm) = $m > 2 ? ($y, $m - 3) : ($y - 1, $m + 9);
    my $days = 365 * $yy + int($yy / 4) - int($yy / 100) + int($yy / 400)
        + int((153 * $mm + 2) / 5) + $d - 1 - 719468;
    return (($days * 24 + $h) * 60 + $i) * 60 + $s;
}

1;
