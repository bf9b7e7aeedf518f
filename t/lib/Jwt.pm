package Jwt;

# Tokens of an identity provider (RFC 7519), and the keys that sign them, as the openssl command makes them.

use strict;
use warnings;

use JSON::PP ();
use MIME::Base64 qw(encode_base64url);

my $Json = JSON::PP->new->canonical->allow_nonref;
my $Dir;
my %Keys;

# Where keys may be kept.
sub folder { $Dir = shift }

# Makes a key for RS256, ES256 or EdDSA.
sub key {
    my ($kid, $alg) = @_;
    my $file = "$Dir/$kid.pem";
    my %kind = (
        RS256 => '-algorithm RSA -pkeyopt rsa_keygen_bits:2048',
        ES256 => '-algorithm EC -pkeyopt ec_paramgen_curve:P-256',
        EdDSA => '-algorithm ED25519',
    );
    system("openssl genpkey $kind{$alg} -out $file 2>/dev/null") == 0 or die "openssl: no key for $alg\n";
    my $public = `openssl pkey -in $file -pubout -outform DER`;
    my %jwk = (kid => $kid, alg => $alg, use => 'sig');
    if ($alg eq 'RS256') {
        my ($modulus) = `openssl rsa -in $file -noout -modulus` =~ /=([0-9A-F]+)/;
        @jwk{qw(kty n e)} = ('RSA', encode_base64url(pack 'H*', $modulus), 'AQAB');
    }
    if ($alg eq 'ES256') {
        @jwk{qw(kty crv x y)} = ('EC', 'P-256', map { encode_base64url($_) } unpack 'a32a32', substr $public, -64);
    }
    @jwk{qw(kty crv x)} = ('OKP', 'Ed25519', encode_base64url(substr $public, -32)) if $alg eq 'EdDSA';
    $Keys{$kid} = { file => $file, alg => $alg, jwk => \%jwk };
}

# The set of these keys.
sub set { $Json->encode({ keys => [map { $Keys{$_}{jwk} } @_] }) }

# A token that a key signs. Options: kid, head and claims, which come in addition, or in the place, of the usual ones; one
# that is undef is left out.
sub token {
    my ($name, %o) = @_;
    my $key = $Keys{$name};
    my $head = part({ typ => 'JWT', alg => $key->{alg}, kid => $name, %{ $o{head} // {} } });
    my $claims = part({ exp => time + 3600, iat => time, %{ $o{claims} // {} } });
    return "$head.$claims." . encode_base64url(signature($key, "$head.$claims"));
}

sub part {
    my %all = %{ $_[0] };
    delete @all{ grep { !defined $all{$_} } keys %all };
    return encode_base64url($Json->encode(\%all));
}

sub signature {
    my ($key, $text) = @_;
    my $file = "$Dir/text";
    open my $out, '>', $file or die "$file: $!";
    print $out $text;
    close $out;
    return scalar `openssl pkeyutl -sign -rawin -inkey $key->{file} -in $file` if $key->{alg} eq 'EdDSA';
    my $signature = `openssl dgst -sha256 -sign $key->{file} $file`;
    return $signature if $key->{alg} eq 'RS256';
    # two numbers in DER, of 32 bytes each in a token
    my ($r, $s) = unpack 'x2 x C/a x C/a', $signature;
    return join '', map { substr "\0" x 32 . $_, -32 } $r, $s;
}

1;
